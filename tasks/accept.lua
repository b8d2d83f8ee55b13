-- Accepts a write: its record, its place behind the write accepted before it on the same order, its message, and what
-- its Idempotency-Key is answered from then on. Running it again adds nothing.
--
-- KEYS[1]  the write's record; KEYS[2]  the order's last accepted write; KEYS[3]  messages waiting for it to end
-- KEYS[4]  the queue; KEYS[5]  the record of the order's create; KEYS[6]  messages in workers' hands; KEYS[7]  counts
-- KEYS[8]  what the write's Idempotency-Key is answered, where it has one
-- ARGV[1]  task id; ARGV[2]  order id; ARGV[3]  record; ARGV[4]  message
-- ARGV[5]  the message's slot for the predecessor
-- ARGV[6]  '1' where the order is known to exist, or is being created
-- ARGV[7]  how many messages may wait; ARGV[8]  the verdict to give instead of accepting anything new, or ''
-- ARGV[9]  hash of the body, where the write has a key
-- returns  {verdict, task id, order id}: 'accepted' (now or before; the ids are the first one's), 'reused' (the key,
--          for another body), 'absent' (no such order), 'full', or ARGV[8]; the ids are empty where it is not accepted
local function count(name)
  -- Where memory is full a count can't be kept; what it counts must be done all the same.
  redis.pcall('HINCRBY', KEYS[7], name, 1)
end

if KEYS[8] then
  local known = redis.call('GET', KEYS[8])
  if known then
    known = cjson.decode(known)
    if known.hash ~= ARGV[9] then
      return {'reused', '', ''}
    end
    count('accepts_repeated')
    return {'accepted', known.taskId, known.orderId}
  end
end

if redis.call('EXISTS', KEYS[1]) == 1 then
  count('accepts_repeated')
  return {'accepted', ARGV[1], ARGV[2]}
end

if ARGV[8] ~= '' then
  if ARGV[8] == 'full' then
    count('accepts_refused')
  end
  return {ARGV[8], '', ''}
end

if ARGV[6] ~= '1' then
  local create = redis.call('GET', KEYS[5])
  if not create then
    return {'absent', '', ''}
  end
  create = cjson.decode(create)
  if create.status == 'FAILURE' or create.status == 'REVOKED' then
    return {'absent', '', ''}
  end
  if create.status == 'SUCCESS' and create.result.outcome ~= 'created' then
    return {'absent', '', ''}
  end
end

if redis.call('LLEN', KEYS[4]) + redis.call('HLEN', KEYS[6]) + redis.call('LLEN', KEYS[3]) >= tonumber(ARGV[7]) then
  count('accepts_refused')
  return {'full', '', ''}
end

local predecessor = redis.call('GET', KEYS[2])
-- The first of the writes: where memory is full it is refused, and nothing has been changed.
redis.call('SET', KEYS[1], ARGV[3])
redis.call('SET', KEYS[2], ARGV[1])
if KEYS[8] then
  redis.call('SET', KEYS[8], cjson.encode({taskId = ARGV[1], orderId = ARGV[2], hash = ARGV[9]}))
end
if predecessor then
  local from, to = string.find(ARGV[4], ARGV[5], 1, true)
  local message = string.sub(ARGV[4], 1, from - 1) .. '"predecessor": "' .. predecessor .. '"' .. string.sub(ARGV[4], to + 1)
  -- It is queued when the write before it ends (end_writes.lua), so nobody polls and no worker is held up.
  redis.call('RPUSH', KEYS[3], message)
  count('writes_queued_behind')
else
  redis.call('LPUSH', KEYS[4], ARGV[4])
end
return {'accepted', ARGV[1], ARGV[2]}
