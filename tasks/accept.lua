-- Accepts a write: its record, its place behind the write accepted before it on the same order, its message.
-- Running it again adds nothing.
--
-- KEYS[1]  the write's record; KEYS[2]  the order's last accepted write; KEYS[3]  messages waiting for it to end
-- KEYS[4]  the queue; KEYS[5]  the record of the order's create
-- ARGV[1]  task id; ARGV[2]  record; ARGV[3]  message; ARGV[4]  the message's slot for the predecessor
-- ARGV[5]  '1' where the order is known to exist, or is being created
-- returns  1 accepted (now or before), 0 no such order
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 1
end

if ARGV[5] ~= '1' then
  local create = redis.call('GET', KEYS[5])
  if not create then
    return 0
  end
  create = cjson.decode(create)
  if create.status == 'FAILURE' or create.status == 'REVOKED' then
    return 0
  end
  if create.status == 'SUCCESS' and create.result.outcome ~= 'created' then
    return 0
  end
end

local predecessor = redis.call('GET', KEYS[2])
redis.call('SET', KEYS[1], ARGV[2])
redis.call('SET', KEYS[2], ARGV[1])
if predecessor then
  local from, to = string.find(ARGV[3], ARGV[4], 1, true)
  local message = string.sub(ARGV[3], 1, from - 1) .. '"predecessor": "' .. predecessor .. '"' .. string.sub(ARGV[3], to + 1)
  -- It is queued when the write before it ends (end_write.lua), so nobody polls and no worker is held up.
  redis.call('RPUSH', KEYS[3], message)
else
  redis.call('LPUSH', KEYS[4], ARGV[3])
end
return 1
