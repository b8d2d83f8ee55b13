-- Settles what was published before the level of a product of which nothing was heard for long enough since: a product
-- service that applied it later would have sent a newer level.
--
-- ARGV     product; up to when (ms) the last report or level must have been
-- returns  {how many holds were settled, 1 where there may be more}
local id, quiet_since = ARGV[1], tonumber(ARGV[2])
local heard = redis.call('ZSCORE', 'stock:quiet', id)
if not heard or tonumber(heard) > quiet_since then
  return {0, 0}
end
local counted, till = unpack(redis.call('HMGET', key(id, 'level'), 'counted', 'until'))
if counted then
  redis.call('HSET', key(id, 'level'), 'until', int(math.max(counted - 1, tonumber(till) or 0)))
end
local settled, more = settle_by_time(id)
if not more then
  redis.call('ZREM', 'stock:quiet', id)
end
return {settled, more and 1 or 0}
