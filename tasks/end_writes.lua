-- Ends writes: their final records, the messages of the writes that waited for them, a last day for what they
-- remembered, and their own messages' acknowledgements, all of it or nothing of it.
--
-- KEYS[1]  the queue; KEYS[2]  kombu's hash of messages in hand; KEYS[3]  its index; KEYS[4]  counters
-- KEYS[5]  writes that ended without storing anything, for the ledger (tasks/unstored.py)
-- KEYS[6..]  four for each write: its record; the order's last accepted write; the messages that wait for it to end;
--            what was decided about its stock
-- ARGV[1]  how long records live from here (s); ARGV[2]  counters to add, as JSON
-- ARGV[3..]  four for each write: task id; record; delivery tag, or ''; `<orderId> <taskId>` where it may have moved
--            stock and will never store it, or ''
-- returns  how many had ended before: the first end stands
local repeated, tags, forgotten = 0, {}, {}

-- All records and last writes at once: a call for each would take most of the script's time.
local asked = {}
for i = 6, #KEYS, 4 do
  asked[#asked + 1], asked[#asked + 2] = KEYS[i], KEYS[i + 1]
end
local found = #asked > 0 and redis.call('MGET', unpack(asked)) or {}

-- A record as it was when its write was accepted, without a key, needs no reading.
local QUEUED = '{"status":"QUEUED"'
local function read(text)
  if string.sub(text, 1, #QUEUED) == QUEUED and not string.find(text, '"idempotency"', 1, true) then
    return {status = 'QUEUED'}
  end
  return cjson.decode(text)
end

for i = 0, (#KEYS - 5) / 4 - 1 do
  local record, last, waiting, decision = unpack(KEYS, 6 + 4 * i, 9 + 4 * i)
  local task, text, tag, unstored = unpack(ARGV, 3 + 4 * i, 6 + 4 * i)
  local known, last_task = found[2 * i + 1], found[2 * i + 2]
  known = known and read(known)
  if known and (known.status == 'SUCCESS' or known.status == 'FAILURE' or known.status == 'REVOKED') then
    repeated = repeated + 1
  else
    if known and known.idempotency then
      -- Spliced in: cjson would write the record's empty list as an object.
      text = '{"idempotency": "' .. known.idempotency .. '", ' .. string.sub(text, 2)
    end
    redis.call('SET', record, text, 'EX', ARGV[1])
    redis.call('EXPIRE', decision, ARGV[1])
    if unstored ~= '' then
      redis.call('SADD', KEYS[5], unstored)
    end
    if known and known.idempotency then
      redis.call('EXPIRE', known.idempotency, ARGV[1])
    end
    if last_task == task then
      forgotten[#forgotten + 1] = last
    elseif known then
      -- (A write without a record ended more than a day ago: nobody waits for it.)
      local message = redis.call('LPOP', waiting)
      if message then
        redis.call('LPUSH', KEYS[1], message)
      end
    end
  end
  if tag ~= '' then
    tags[#tags + 1] = tag
  end
end
if #forgotten > 0 then
  redis.call('DEL', unpack(forgotten))
end
if #tags > 0 then
  redis.call('HDEL', KEYS[2], unpack(tags))
  redis.call('ZREM', KEYS[3], unpack(tags))
end
for name, count in pairs(cjson.decode(ARGV[2])) do
  redis.call('HINCRBY', KEYS[4], name, count)
end
if repeated > 0 then
  redis.call('HINCRBY', KEYS[4], 'results_repeated', repeated)
end
return repeated
