-- Takes messages off a queue: notes that somebody has them in hand, then trims the queue. A script that fails halfway
-- does not roll back, so it trims last: what was noted and not trimmed is taken again, under the same tag.
--
-- KEYS[1]  the queue; KEYS[2]  unacked; KEYS[3]  unacked_index; KEYS[4]  the queue's malformed items; KEYS[5]  counts
-- ARGV[1]  at most so many; ARGV[2]  no further one after so many bytes; ARGV[3]  '1' where they will be acknowledged
-- returns  how many the queue still holds, then tag and message of each that was taken, the oldest first
local AT_ONCE = 25
local TAG = '"delivery_tag": "'

-- As kombu writes it, where it stands once: reading all of a message takes several times as long. A tag that is another
-- thing's is found out by whoever takes the message.
local function tag_of(item)
  local _, place = string.find(item, TAG, 1, true)
  if place and not string.find(item, TAG, place, true) then
    local tag = string.match(item, '^([%w-]+)"', place + 1)
    if tag then
      return tag
    end
  end
  local readable, message = pcall(cjson.decode, item)
  local properties = readable and type(message) == 'table' and message.properties
  local tag = type(properties) == 'table' and properties.delivery_tag
  return type(tag) == 'string' and tag ~= '' and tag
end

local most, most_bytes, acknowledged = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3] == '1'
-- Where it goes back to: the queue by its name, however it was routed here.
local back_to = ', "", ' .. cjson.encode(KEYS[1]) .. ']'
local taken, malformed, noted, hands, index = {}, {}, {}, {}, {}
local looked_at, bytes = 0, 0

-- Returns what is in hand under the tags of these items, by tag; a call for each would take twice as long.
local function in_hand(tags)
  local asked, found = {}, {}
  for _, tag in pairs(tags) do
    asked[#asked + 1] = tag
  end
  if acknowledged and #asked > 0 then
    for i, value in ipairs(redis.call('HMGET', KEYS[2], unpack(asked))) do
      found[asked[i]] = value
    end
  end
  return found
end

-- Looks at items, the last of them first.
local function look_at(items)
  local tags = {}
  for i, item in ipairs(items) do
    tags[i] = tag_of(item) or nil
  end
  local known_by = in_hand(tags)
  for i = #items, 1, -1 do
    if looked_at == most or bytes >= most_bytes then
      return
    end
    local item = items[i]
    looked_at, bytes = looked_at + 1, bytes + #item
    local tag = tags[i]
    -- Never by cjson.encode: it turns empty lists into objects, and shortens numbers.
    local value = '[' .. item .. back_to
    local known = tag and acknowledged and (noted[tag] or known_by[tag])
    if not tag or (known and known ~= value) then
      malformed[#malformed + 1] = item
    else
      noted[tag] = value
      taken[#taken + 1] = tag
      taken[#taken + 1] = item
    end
  end
end

while looked_at < most and bytes < most_bytes do
  local at_once = math.min(AT_ONCE, most - looked_at)
  local items = redis.call('LRANGE', KEYS[1], -looked_at - at_once, -looked_at - 1)
  look_at(items)
  if #items < at_once then
    break
  end
end

if acknowledged and #taken > 0 then
  local now = redis.call('TIME')
  for i = 1, #taken, 2 do
    hands[i], hands[i + 1] = taken[i], noted[taken[i]]
    -- A microsecond apart, so that what was taken together keeps its order.
    index[i], index[i + 1] = string.format('%.6f', now[1] + (now[2] + i) / 1000000), taken[i]
  end
  redis.call('HSET', KEYS[2], unpack(hands))
  redis.call('ZADD', KEYS[3], unpack(index))
end
for _, item in ipairs(malformed) do
  redis.call('LPUSH', KEYS[4], item)
end
if #malformed > 0 then
  redis.call('HINCRBY', KEYS[5], 'messages_malformed', #malformed)
end
if looked_at > 0 then
  redis.call('LTRIM', KEYS[1], 0, -1 - looked_at)
end
table.insert(taken, 1, redis.call('LLEN', KEYS[1]))
return taken
