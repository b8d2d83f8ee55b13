-- Renews the leases of messages in hand, by Redis' own clock. What was acknowledged or put back has none to renew.
--
-- KEYS[1]  unacked_index; KEYS[2]  counts
-- ARGV     the tags, the oldest first
local now = redis.call('TIME')
local renewed = 0
for i, tag in ipairs(ARGV) do
  local score = string.format('%.6f', now[1] + (now[2] + i) / 1000000)
  renewed = renewed + redis.call('ZADD', KEYS[1], 'XX', 'CH', score, tag)
end
if renewed > 0 then
  redis.call('HINCRBY', KEYS[2], 'leases_renewed', renewed)
end
