-- Notes how far a write has come (STARTED, RETRY), unless it has ended or was never accepted.
--
-- KEYS[1]  the write's record; ARGV[1]  record
local known = redis.call('GET', KEYS[1])
if not known then
  return 0
end
local status = cjson.decode(known).status
if status == 'SUCCESS' or status == 'FAILURE' or status == 'REVOKED' then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1])
return 1
