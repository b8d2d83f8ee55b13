-- Notes how far a write has come (STARTED, RETRY), unless it has ended or was never accepted.
--
-- KEYS[1]  the write's record; ARGV[1]  record
local known = redis.call('GET', KEYS[1])
if not known then
  return 0
end
known = cjson.decode(known)
if known.status == 'SUCCESS' or known.status == 'FAILURE' or known.status == 'REVOKED' then
  return 0
end
local text = ARGV[1]
if known.idempotency then
  -- Spliced in: cjson would write the record's empty list as an object.
  text = '{"idempotency": "' .. known.idempotency .. '", ' .. string.sub(text, 2)
end
redis.call('SET', KEYS[1], text)
return 1
