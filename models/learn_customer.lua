-- Stores what a login tells of a customer, each field by itself and only where nothing newer is known.
--
-- KEYS     pairs: the hash of values, the hash of when each was learnt
-- ARGV     user id, time (ms), source (topic/partition), offset, then one value per pair
-- returns  how many fields were stored
local user, at, source, offset = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local stored = 0
for i = 1, #KEYS, 2 do
  local last = redis.call('HGET', KEYS[i + 1], user)
  local newer = true
  if last then
    local last_at, last_offset, last_source = string.match(last, '^(%S+) (%S+) (.*)$')
    last_at, last_offset = tonumber(last_at), tonumber(last_offset)
    newer = at > last_at or (at == last_at and source == last_source and offset > last_offset)
  end
  if newer then
    redis.call('HSET', KEYS[i], user, ARGV[4 + (i + 1) / 2])
    redis.call('HSET', KEYS[i + 1], user, ARGV[2] .. ' ' .. ARGV[4] .. ' ' .. source)
    stored = stored + 1
  end
end
return stored
