-- Puts a parked message back into its queue; a write that ended as parked is accepted anew, behind the order's last one.
--
-- KEYS[1]  parked; KEYS[2]  its queue; KEYS[3]  how often it was started; KEYS[4]  counts
-- KEYS[5]  its record; KEYS[6]  the order's last accepted write; KEYS[7]  the messages that wait for that one to end
--          (only of a write)
-- ARGV[1]  task id; ARGV[2]  the entry as it was seen; ARGV[3]  the message; ARGV[4]  a record in state QUEUED, or ''
-- returns  1, or 0 where the entry is gone or another one by now
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then
  return 0
end

local behind = false
if ARGV[4] ~= '' then
  local record = redis.call('GET', KEYS[5])
  record = record and cjson.decode(record)
  local problem = record and record.problem
  -- (Without a record it was parked more than a day ago.)
  if not record or record.status == 'FAILURE' and type(problem) == 'table' and problem.type == 'parked' then
    -- Writes to one order run one at a time, and the one that ends queues the one that waits (end_writes.lua).
    behind = redis.call('GET', KEYS[6])
    redis.call('SET', KEYS[5], ARGV[4])
    redis.call('SET', KEYS[6], ARGV[1])
    if record and type(record.idempotency) == 'string' then
      redis.call('PERSIST', record.idempotency)
    end
  end
end
if behind then
  redis.call('RPUSH', KEYS[7], ARGV[3])
else
  redis.call('LPUSH', KEYS[2], ARGV[3])
end
redis.call('DEL', KEYS[3])
redis.call('HINCRBY', KEYS[4], 'parked_requeued', 1)
redis.call('HDEL', KEYS[1], ARGV[1])
return 1
