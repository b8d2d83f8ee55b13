-- Stores a product's stock level, or removes the product, unless something newer is known.
--
-- KEYS[1]  the product's stock; KEYS[2]  what is known of its last level
-- ARGV     units ('' removes the product), version or '', time (ms), source (topic/partition), offset
-- returns  1 where it was applied, 0 where it is superseded
local units, version, at, source, offset = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])
local last = redis.call('HMGET', KEYS[2], 'version', 'at', 'source', 'offset')

local function is_newer()
  if not last[2] then
    return true
  end
  if version ~= '' and last[1] and last[1] ~= '' and tonumber(version) ~= tonumber(last[1]) then
    return tonumber(version) > tonumber(last[1])
  end
  if at ~= tonumber(last[2]) then
    return at > tonumber(last[2])
  end
  -- Offsets of different partitions, or of a topic before and after it was made anew, say nothing of time.
  return source == last[3] and offset > tonumber(last[4])
end

if not is_newer() then
  return 0
end
if units == '' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], units)
end
redis.call('HSET', KEYS[2], 'version', version, 'at', ARGV[3], 'source', source, 'offset', ARGV[5])
return 1
