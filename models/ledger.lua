-- What the scripts of the stock ledger share; models/stock.py puts it in front of each of them.
--
-- A product's keys, `product:<id>:...` (the ledger and the queues are one Redis, so scripts make the names themselves):
--   stock        plain integer: level - held + given
--   level        hash: the newest level (version, at, source, offset), how late it can have been counted (counted),
--                holds published up to then are settled by time (until), units held, units given back on top of the
--                level (given) and when the first of them were (given_first), when a level last dropped such (dropped)
--   holds        hash: event id -> units taken and not yet known to be in the level
--   unpublished  zset: the holds whose event is not known to be on Kafka, by when they were taken (ms)
--   published    zset: the others, by when Kafka's delivery report came (ms)
--   offsets      zset: the published ones by where they are (partition number * SPAN + offset)
--   seen         hash: partition number -> the last offset that a level said it includes
--   folded       hash: hour -> units of holds published long ago, "<hour>:n" -> how many
-- Of all products:
--   stock:partitions  hash: "<topic>/<partition>" -> its number and what is known of its offsets (note_published.lua)
--   stock:quiet       zset: products with published holds, by their last report or level (ms)
--   stock:discarded   set: tasks that move nothing any more
--   counts            hash: how often each safeguard fired
local SPAN = 2 ^ 40
local HOUR = 3600000
-- A delivery report comes within this time (ms) of the event's being readable: the publisher gives up after it.
local REPORT = 5000
-- Holds that one call settles at the most: what keeps a script short however many there are.
local LIMIT = 500

local function key(product, part)
  return 'product:' .. product .. ':' .. part
end

local function int(number)
  return string.format('%.0f', number)
end

local function clock(given)
  if given ~= '' then
    return tonumber(given)
  end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function count(name, times)
  if times > 0 then
    redis.call('HINCRBY', 'counts', name, int(times))
  end
end

-- What a product's key says, nil where there is none or it is not a whole number.
local function whole(text)
  local stock = tonumber(text or '')
  return stock and stock == math.floor(stock) and stock or nil
end

-- The units that can be ordered, nil where the product is not known.
local function available(product)
  return whole(redis.call('GET', key(product, 'stock')))
end

local function free(product, units)
  redis.call('HINCRBY', key(product, 'level'), 'held', int(-units))
  if available(product) then
    redis.call('INCRBY', key(product, 'stock'), int(units))
  end
end

local function forget(product, events)
  redis.call('HDEL', key(product, 'holds'), unpack(events))
  for _, index in ipairs({'unpublished', 'published', 'offsets'}) do
    redis.call('ZREM', key(product, index), unpack(events))
  end
end

-- Lets holds go, as far as there are such; returns how many those were.
local function release(product, events)
  if #events == 0 then
    return 0
  end
  local units, found = 0, 0
  for _, held in ipairs(redis.call('HMGET', key(product, 'holds'), unpack(events))) do
    if held then
      units, found = units + held, found + 1
    end
  end
  if found > 0 then
    free(product, units)
  end
  forget(product, events)
  return found
end

-- Settles what was published up to `until`, the oldest first; returns how many holds, and whether there may be more.
local function settle_by_time(product)
  local till = redis.call('HGET', key(product, 'level'), 'until')
  if not till then
    return 0, false
  end
  local old = redis.call('ZRANGEBYSCORE', key(product, 'published'), '-inf', till, 'LIMIT', 0, LIMIT)
  local settled = release(product, old)
  local folded = redis.call('HGETALL', key(product, 'folded'))
  for i = 1, #folded, 2 do
    local hour = tonumber(folded[i])
    if hour and (hour + 1) * HOUR <= tonumber(till) then
      settled = settled + redis.call('HGET', key(product, 'folded'), folded[i] .. ':n')
      free(product, tonumber(folded[i + 1]))
      redis.call('HDEL', key(product, 'folded'), folded[i], folded[i] .. ':n')
    end
  end
  count('holds_settled_by_time', settled)
  return settled, #old == LIMIT
end

-- What is known of a partition's offsets, nil where nothing is: {its number, the highest offset reported, when, and of the
-- topic that may have been made anew: its number (0: there is none), its highest offset, its first report; and the first
-- report of this one, where it is such a topic (else 0)}
local function partition(place)
  local known = redis.call('HGET', 'stock:partitions', place)
  if not known then
    return nil
  end
  local facts = {}
  for number in string.gmatch(known, '%S+') do
    facts[#facts + 1] = tonumber(number)
  end
  return facts
end

local function keep_partition(place, facts)
  local text = {}
  for i, number in ipairs(facts) do
    text[i] = int(number)
  end
  redis.call('HSET', 'stock:partitions', place, table.concat(text, ' '))
end

local function new_number()
  return redis.call('HINCRBY', 'stock:partitions', '#', 1)
end

local function new_partition(place)
  local facts = {new_number(), -1, 0, 0, 0, 0, 0}
  keep_partition(place, facts)
  return facts
end
