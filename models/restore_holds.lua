-- Puts holds back into a ledger that was lost; those that are there are left as they are.
--
-- ARGV[1]  the time (ms), '' for Redis' own
-- ARGV[2]  JSON, one array per hold: [product, event id, units, when the event was on Kafka at the latest (ms), 0: not known]
-- returns  how many were not there
local now, restored = clock(ARGV[1]), 0
for _, hold in ipairs(cjson.decode(ARGV[2])) do
  local id, event, units, at = unpack(hold)
  if redis.call('HSETNX', key(id, 'holds'), event, int(units)) == 1 then
    free(id, -units)
    redis.call('ZADD', key(id, 'unpublished'), int(now), event)
    restored = restored + 1
  end
  if at > 0 and not redis.call('ZSCORE', key(id, 'published'), event) then
    redis.call('ZADD', key(id, 'published'), int(at), event)
    redis.call('ZREM', key(id, 'unpublished'), event)
    redis.call('ZADD', 'stock:quiet', 'GT', int(at), id)
  end
end
return restored
