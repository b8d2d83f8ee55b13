-- Ends a write: its final record, the message of the write that waited for it, and a last day for what it remembered.
--
-- KEYS[1]  the write's record; KEYS[2]  the order's last accepted write; KEYS[3]  messages waiting for it to end
-- KEYS[4]  the queue; KEYS[5]  what was decided about its stock
-- ARGV[1]  task id; ARGV[2]  record; ARGV[3]  how long records live from here (s)
-- returns  1, or 0 where it had ended before: the first end stands
local known = redis.call('GET', KEYS[1])
if known then
  local status = cjson.decode(known).status
  if status == 'SUCCESS' or status == 'FAILURE' or status == 'REVOKED' then
    return 0
  end
end

redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
redis.call('EXPIRE', KEYS[5], ARGV[3])
if redis.call('GET', KEYS[2]) == ARGV[1] then
  redis.call('DEL', KEYS[2])
else
  local message = redis.call('LPOP', KEYS[3])
  if message then
    redis.call('LPUSH', KEYS[4], message)
  end
end
return 1
