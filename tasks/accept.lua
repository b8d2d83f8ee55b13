-- Accepts writes: of each its record, its place behind the write accepted before it on the same order, its message, and
-- what its Idempotency-Key is answered from then on. Running it again adds nothing.
--
-- KEYS[1]  the queue; KEYS[2]  messages in workers' hands; KEYS[3]  counts
-- KEYS[4..]  five for each write: its record; the order's last accepted write; messages waiting for that one to end;
--            the record of the order's create; what the write's Idempotency-Key is answered, '' where it has none
-- ARGV[1]  how many messages may wait; ARGV[2]  the message's slot for the predecessor
-- ARGV[3..]  seven for each write: task id; order id; record; message; '1' where the order is known to exist, or is being
--            created; the verdict to give instead of accepting anything new, or ''; hash of the body, where it has a key
-- returns  how many messages wait or are in hand, then three for each write: verdict, task id, order id. 'accepted' (now or before; the ids are the first one's),
--          'reused' (the key, for another body), 'absent' (no such order), 'full', or the verdict to give instead; the
--          ids are empty where it is not accepted
local queue, in_hand, counts = KEYS[1], KEYS[2], KEYS[3]
local mark, slot = tonumber(ARGV[1]), ARGV[2]
local waiting = redis.call('LLEN', queue) + redis.call('HLEN', in_hand)
local messages = {}

local function count(name)
  -- Where memory is full a count can't be kept; what it counts must be done all the same.
  redis.pcall('HINCRBY', counts, name, 1)
end

local function exists(created_by)
  local create = redis.call('GET', created_by)
  create = create and cjson.decode(create)
  if not create or create.status == 'FAILURE' or create.status == 'REVOKED' then
    return false
  end
  return create.status ~= 'SUCCESS' or create.result.outcome == 'created'
end

-- Returns why a write that was not accepted before is not accepted now, nil where it may be.
local function refusal(instead, known_to_exist, created_by, behind)
  if instead ~= '' then
    return instead
  elseif known_to_exist ~= '1' and not exists(created_by) then
    return 'absent'
  elseif waiting + (behind and redis.call('LLEN', behind) or 0) >= mark then
    return 'full'
  end
end

local function accept(keys, args)
  local record, last, behind, created_by, key = unpack(keys)
  local task, order, text, message, known_to_exist, instead, hash = unpack(args)
  if key ~= '' then
    local known = redis.call('GET', key)
    if known then
      known = cjson.decode(known)
      if known.hash ~= hash then
        return 'reused', '', ''
      end
      count('accepts_repeated')
      return 'accepted', known.taskId, known.orderId
    end
  end
  local predecessor = redis.call('GET', last)
  local refused = refusal(instead, known_to_exist, created_by, predecessor and behind)
  -- The first of the writes: where memory is full it is refused, and nothing has been changed.
  local stored = not refused and redis.pcall('SET', record, text, 'NX')
  local problem = stored and stored.err
  if problem and not string.find(problem, 'OOM', 1, true) then
    error(problem)
  end
  if not stored or problem then
    if redis.call('EXISTS', record) == 1 then
      count('accepts_repeated')
      return 'accepted', task, order
    end
    if refused == 'full' then
      count('accepts_refused')
    end
    return refused or 'full', '', ''
  end
  redis.call('SET', last, task)
  if key ~= '' then
    redis.call('SET', key, cjson.encode({taskId = task, orderId = order, hash = hash}))
  end
  if predecessor then
    local from, to = string.find(message, slot, 1, true)
    message = string.sub(message, 1, from - 1) .. '"predecessor": "' .. predecessor .. '"' .. string.sub(message, to + 1)
    -- It is queued when the write before it ends (end_writes.lua), so nobody polls and no worker is held up.
    redis.call('RPUSH', behind, message)
    count('writes_queued_behind')
  else
    messages[#messages + 1] = message
    waiting = waiting + 1
  end
  return 'accepted', task, order
end

local answers = {0}
local fine, problem = pcall(function()
  for i = 0, (#KEYS - 3) / 5 - 1 do
    local verdict, task, order = accept({unpack(KEYS, 4 + 5 * i, 8 + 5 * i)}, {unpack(ARGV, 3 + 7 * i, 9 + 7 * i)})
    answers[3 * i + 2], answers[3 * i + 3], answers[3 * i + 4] = verdict, task, order
  end
end)
-- Whatever ended the loop: the writes before it keep their messages. (Memory is not full once a SET was let in.)
if #messages > 0 then
  redis.call('LPUSH', queue, unpack(messages))
end
if not fine then
  error(problem)
end
answers[1] = waiting
return answers
