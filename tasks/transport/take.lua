-- Takes messages off a queue: notes that somebody has them in hand, then trims the queue. A script that fails halfway
-- does not roll back, so it trims last: what was noted and not trimmed is taken again, under the same tag.
--
-- KEYS[1]  the queue; KEYS[2]  unacked; KEYS[3]  unacked_index; KEYS[4]  the queue's malformed items; KEYS[5]  counts
-- ARGV[1]  at most so many; ARGV[2]  no further one after so many bytes; ARGV[3]  '1' where they will be acknowledged
-- returns  how many the queue still holds, then tag and message of each that was taken, the oldest first
local function tag_of(item)
  local readable, message = pcall(cjson.decode, item)
  local properties = readable and type(message) == 'table' and message.properties
  local tag = type(properties) == 'table' and properties.delivery_tag
  return type(tag) == 'string' and tag ~= '' and tag
end

-- Where it goes back to: the queue by its name, however it was routed here.
local back_to = ', "", ' .. cjson.encode(KEYS[1]) .. ']'
local acknowledged = ARGV[3] == '1'
local taken, malformed, noted = {}, {}, {}
local looked_at, bytes = 0, 0
while looked_at < tonumber(ARGV[1]) and bytes < tonumber(ARGV[2]) do
  local item = redis.call('LINDEX', KEYS[1], -1 - looked_at)
  if not item then
    break
  end
  looked_at = looked_at + 1
  bytes = bytes + #item
  local tag = tag_of(item)
  -- Never by cjson.encode: it turns empty lists into objects, and shortens numbers.
  local value = '[' .. item .. back_to
  local known = tag and acknowledged and (noted[tag] or redis.call('HGET', KEYS[2], tag))
  if not tag or (known and known ~= value) then
    malformed[#malformed + 1] = item
  else
    noted[tag] = value
    taken[#taken + 1] = tag
    taken[#taken + 1] = item
  end
end

if acknowledged then
  local now = redis.call('TIME')
  for i = 1, #taken, 2 do
    -- A microsecond apart, so that what was taken together keeps its order.
    local score = string.format('%.6f', now[1] + (now[2] + i) / 1000000)
    redis.call('HSET', KEYS[2], taken[i], noted[taken[i]])
    redis.call('ZADD', KEYS[3], score, taken[i])
  end
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
