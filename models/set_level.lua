-- Stores a product's stock level, or removes the product, unless something newer is known; settles what it includes.
-- It is called again with the rest of what it names, and until nothing is left to settle.
--
-- ARGV     1 product, 2 units ('' removes it), 3 version or '', 4 time (ms), 5 source (topic/partition), 6 offset,
--          7 how late it can have been counted (ms, '' for not known), 8 when it reached us (ms, '' for now),
--          9 the time (ms), '' for Redis' own, 10 how long (ms) before a level an event must be published to be in it,
--          '' where nothing is settled by time, 11 JSON of event ids it names (at most LIMIT),
--          12 JSON of {"<topic>/<partition>": last offset applied}, 13 '1' on the first call
-- returns  {1 where it is the product's newest level, 0 where it is superseded; 1 where there may be more to settle}
local id, units, version, at, source, offset = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6])
local now = clock(ARGV[9])
local read_at = tonumber(ARGV[8]) or now
-- No clock makes a level younger than its arrival.
local counted = math.min(tonumber(ARGV[7]) or at, read_at, now)
local settle = tonumber(ARGV[10])
local names, seen, first = cjson.decode(ARGV[11]), cjson.decode(ARGV[12]), ARGV[13] == '1'
local level, stock = key(id, 'level'), key(id, 'stock')
local last = redis.call('HMGET', level, 'version', 'at', 'source', 'offset')
local by_version = version ~= '' and last[1] and last[1] ~= '' and tonumber(version) ~= tonumber(last[1])
-- Offsets of different partitions, or of a topic before and after it was made anew, say nothing of time.
local by_offset = source == last[3] and offset - tonumber(last[4])
local repeated = by_offset == 0 and at == tonumber(last[2]) and version == last[1]

local function is_newer()
  if not last[2] then
    return true
  elseif by_version then
    return tonumber(version) > tonumber(last[1])
  elseif at ~= tonumber(last[2]) then
    return at > tonumber(last[2])
  end
  return by_offset and by_offset > 0
end

local function apply()
  redis.call('HSET', level, 'version', version, 'at', ARGV[4], 'source', source, 'offset', ARGV[6], 'counted', int(counted))
  local held, given, given_first = unpack(redis.call('HMGET', level, 'held', 'given', 'given_first'))
  given = tonumber(given) or 0
  if given_first and (units == '' or read_at + REPORT >= tonumber(given_first)) then
    -- It reached us after the give-back, so whatever its own clock says, it may include it; counted on top of it as
    -- well, those units would be sold twice. (REPORT is ample for what clocks of our own machines differ.)
    count('give_backs_dropped', given > 0 and 1 or 0)
    redis.call('HDEL', level, 'given', 'given_first')
    given = 0
  end
  redis.call('HSET', level, 'dropped', int(now))
  if units ~= '' then
    redis.call('SET', stock, int(units - (tonumber(held) or 0) + given))
  end
  if settle then
    local till = math.max(counted - settle, tonumber(redis.call('HGET', level, 'until') or 0))
    redis.call('HSET', level, 'until', int(till))
    count('holds_unpublished_kept', redis.call('ZCOUNT', key(id, 'unpublished'), '-inf', int(counted - settle)))
  end
  if units == '' then
    redis.call('DEL', stock)
  end
end

local function settle_seen(newest)
  local settled, more = 0, false
  for place, last_seen in pairs(seen) do
    local facts = partition(place) or new_partition(place)
    -- Of a topic made anew only offsets that we know of are believed, and none told before it was.
    if facts[7] == 0 or (last_seen <= facts[2] and counted >= facts[7]) then
      local number = facts[1]
      if newest and last_seen > tonumber(redis.call('HGET', key(id, 'seen'), int(number)) or -1) then
        redis.call('HSET', key(id, 'seen'), int(number), int(last_seen))
      end
      local from, to = int(number * SPAN), int(number * SPAN + last_seen)
      local found = redis.call('ZRANGEBYSCORE', key(id, 'offsets'), from, to, 'LIMIT', 0, LIMIT)
      settled = settled + release(id, found)
      more = more or #found == LIMIT
    end
  end
  return settled, more
end

local newest = is_newer()
if newest then
  apply()
elseif first and not repeated then
  count('levels_superseded', 1)
end
newest = newest or repeated

local before = available(id)
local settled, more = settle_seen(newest)
settled = settled + release(id, names)
-- A level that only its clock makes the older one may be the newer one in truth, with these orders in its count and not
-- in that of the other: so it frees no more than its own count allows.
local surely_older = by_version or (by_offset and by_offset < 0 and at < tonumber(last[2]))
if not newest and not surely_older and before then
  local bound = (tonumber(units) or 0) - (tonumber(redis.call('HGET', level, 'held') or 0))
  local after = available(id)
  redis.call('SET', stock, int(math.max(before, math.min(after, bound))))
end
count('holds_settled_by_name', settled)
if newest and settle then
  local _, more_by_time = settle_by_time(id)
  more = more or more_by_time
  if redis.call('EXISTS', key(id, 'published')) == 1 then
    redis.call('ZADD', 'stock:quiet', 'GT', int(now), id)
  end
end
return {newest and 1 or 0, more and 1 or 0}
