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
local partitions, products, touched, quiet = {}, {}, {}, {}

-- Returns the number under which an offset is filed.
local function file(place, offset, at)
  local facts = partitions[place] or partition(place) or new_partition(place)
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

-- Sorts what is told by product, each event once, by its earliest report.
local function sort(told)
  for _, sent in ipairs(told) do
    for _, id in ipairs(sent[5]) do
      if not products[id] then
        products[id] = {events = {}, sent = {}}
        touched[#touched + 1] = id
      end
      local product, event = products[id], sent[1]
      if not product.sent[event] then
        table.insert(product.events, event)
      end
      if not product.sent[event] or sent[4] < product.sent[event][4] then
        product.sent[event] = sent
      end
    end
  end
end

-- Returns of a product's events those that are held and had no report yet, or a later one.
local function news_of(id, events, sent)
  local held, news = {}, {}
  for i, units in ipairs(redis.call('HMGET', key(id, 'holds'), unpack(events))) do
    if units then
      held[#held + 1] = events[i]
    end
  end
  -- A hold is in one of the two indexes: where all of them were in this one, nothing is known of any.
  if #held == 0 or redis.call('ZREM', key(id, 'unpublished'), unpack(held)) == #held then
    return held
  end
  for i, before in ipairs(redis.call('ZMSCORE', key(id, 'published'), unpack(held))) do
    if not (before and tonumber(before) <= sent[held[i]][4]) then
      news[#news + 1] = held[i]
    end
  end
  return news
end

-- Returns when the first and the last of a product's reports came, nil where nothing of it is held.
local function note(id, events, sent)
  local published, offsets, included, seen, first, last = {}, {}, {}, {}, nil, nil
  for _, event in ipairs(news_of(id, events, sent)) do
    local _, place, offset, at = unpack(sent[event])
    local number = file(place, offset, at)
    table.insert(published, int(at))
    table.insert(published, event)
    table.insert(offsets, int(number * SPAN + offset))
    table.insert(offsets, event)
    seen[number] = seen[number] or tonumber(redis.call('HGET', key(id, 'seen'), int(number)) or -1)
    if offset <= seen[number] then
      included[#included + 1] = event
    end
    first, last = math.min(first or at, at), math.max(last or at, at)
  end
  if last then
    redis.call('ZADD', key(id, 'published'), unpack(published))
    redis.call('ZADD', key(id, 'offsets'), unpack(offsets))
    count('holds_settled_by_name', release(id, included))
  end
  return first, last
end

local function fold(id, most)
  local old = redis.call('ZRANGEBYSCORE', key(id, 'published'), '-inf', int(now - fold_after), 'WITHSCORES', 'LIMIT', 0, most)
  local events, hours = {}, {}
  for i = 1, #old, 2 do
    events[#events + 1] = old[i]
    hours[#events] = int(math.floor(old[i + 1] / HOUR))
  end
  if #events == 0 then
    return
  end
  local sums = {}
  for i, units in ipairs(redis.call('HMGET', key(id, 'holds'), unpack(events))) do
    sums[hours[i]] = (sums[hours[i]] or 0) + units
    sums[hours[i] .. ':n'] = (sums[hours[i] .. ':n'] or 0) + 1
  end
  for field, sum in pairs(sums) do
    redis.call('HINCRBY', key(id, 'folded'), field, int(sum))
  end
  forget(id, events)
end

local told = cjson.decode(ARGV[4])
sort(told)
for _, id in ipairs(touched) do
  local first, last = note(id, products[id].events, products[id].sent)
  if last and timed then
    local till, level_came = unpack(redis.call('HMGET', key(id, 'level'), 'until', 'dropped'))
    if till and first <= tonumber(till) then
      settle_by_time(id)
    end
    table.insert(quiet, int(math.max(last, tonumber(level_came) or 0)))
    table.insert(quiet, id)
  end
end
if timed and #touched > 0 then
  -- Of one product, whichever the clock points at, and twice as many as came: what is old gets less, however much there is.
  fold(touched[1 + now % #touched], 2 * #told)
end
if #quiet > 0 then
  redis.call('ZADD', 'stock:quiet', 'GT', unpack(quiet))
end
for place, facts in pairs(partitions) do
  keep_partition(place, facts)
end
return 1
