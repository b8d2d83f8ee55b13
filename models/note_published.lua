-- Notes on the holds of many events that Kafka has them, where and since when; settles what a level includes already.
--
-- ARGV[1]  the time (ms), '' for Redis' own; ARGV[2]  '1' where holds are settled by time, too
-- ARGV[3]  how long (ms) after its report a hold is folded
-- ARGV[4]  JSON, one array per event: [event id, "<topic>/<partition>", offset, when its report came (ms), [product...]]
--
-- Of an event that was sent twice the earliest report stands: from then on the product service could read it, and what
-- comes later under the same id it drops.
--
-- A topic that is made anew begins at offset 0 again, and what a level has `seen` of the old one says nothing of the new
-- one. So each incarnation of a partition has a number of its own. Reports come in the order of offsets, but for those
-- within REPORT of each other: a lower offset with a later report is that of a process that was frozen, or the topic was
-- made anew. It is filed under a second number, and that one holds once a minute has passed without a higher offset.
local ANEW_AFTER = 60000
local now, timed, fold_after = clock(ARGV[1]), ARGV[2] == '1', tonumber(ARGV[3])
local partitions, published, folding = {}, {}, {}

local function new_number()
  return redis.call('HINCRBY', 'stock:partitions', '#', 1)
end

-- Returns the number under which an offset is filed.
local function file(place, offset, at)
  local facts = partitions[place] or partition(place) or {new_number(), offset, at, 0, 0, 0, 0}
  partitions[place] = facts
  if offset >= facts[2] then
    facts[2], facts[3], facts[4] = offset, math.max(at, facts[3]), 0
  elseif at > facts[3] + REPORT then
    if facts[4] == 0 then
      facts[4], facts[5], facts[6] = new_number(), offset, at
    end
    facts[5] = math.max(offset, facts[5])
    if at > facts[6] + ANEW_AFTER then
      partitions[place] = {facts[4], facts[5], at, 0, 0, 0, facts[6]}
    end
    return facts[4]
  end
  return facts[1]
end

local function note(id, event, place, offset, at)
  if redis.call('HEXISTS', key(id, 'holds'), event) == 0 then
    return
  end
  local before = redis.call('ZSCORE', key(id, 'published'), event)
  if before and tonumber(before) <= at then
    return
  end
  local number = file(place, offset, at)
  redis.call('ZADD', key(id, 'published'), int(at), event)
  redis.call('ZADD', key(id, 'offsets'), int(number * SPAN + offset), event)
  redis.call('ZREM', key(id, 'unpublished'), event)
  if offset <= tonumber(redis.call('HGET', key(id, 'seen'), int(number)) or -1) then
    count('holds_settled_by_name', release(id, {event}))
  end
  published[id] = math.max(published[id] or 0, at)
  folding[id] = (folding[id] or 0) + 2
end

local function fold(id, most)
  local old = redis.call('ZRANGEBYSCORE', key(id, 'published'), '-inf', int(now - fold_after), 'WITHSCORES', 'LIMIT', 0, most)
  for i = 1, #old, 2 do
    local event, hour = old[i], int(math.floor(old[i + 1] / HOUR))
    redis.call('HINCRBY', key(id, 'folded'), hour, redis.call('HGET', key(id, 'holds'), event))
    redis.call('HINCRBY', key(id, 'folded'), hour .. ':n', 1)
    redis.call('HDEL', key(id, 'holds'), event)
    redis.call('ZREM', key(id, 'published'), event)
    redis.call('ZREM', key(id, 'offsets'), event)
  end
end

for _, sent in ipairs(cjson.decode(ARGV[4])) do
  local event, place, offset, at, ids = unpack(sent)
  for _, id in ipairs(ids) do
    note(id, event, place, offset, at)
  end
end
for place, facts in pairs(partitions) do
  for i, number in ipairs(facts) do
    facts[i] = int(number)
  end
  redis.call('HSET', 'stock:partitions', place, table.concat(facts, ' '))
end
if timed then
  for id, at in pairs(published) do
    settle_by_time(id)
    fold(id, folding[id])
    local level_came = tonumber(redis.call('HGET', key(id, 'level'), 'dropped') or 0)
    redis.call('ZADD', 'stock:quiet', 'GT', int(math.max(at, level_came)), id)
  end
end
return 1
