-- Puts back what nobody has acknowledged or renewed for too long, by Redis' own clock (after put_back.lua, with its KEYS).
-- No lock: whoever dies in the middle of anything, the next one to call goes on.
--
-- ARGV[1]  visibility timeout (s); ARGV[2]  at most so many; ARGV[3]  no further one after so many bytes
-- returns  how many are overdue still
local now = redis.call('TIME')
local latest = string.format('%.6f', now[1] + now[2] / 1000000 - ARGV[1])
local overdue = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', latest, 'LIMIT', 0, ARGV[2])
local values, bytes, chosen = {}, 0, 0
while chosen < #overdue and bytes < tonumber(ARGV[3]) do
  chosen = chosen + 1
  values[chosen] = redis.call('HGET', KEYS[1], overdue[chosen])
  bytes = bytes + #(values[chosen] or '')
end

local restored = 0
for i = chosen, 1, -1 do
  -- The oldest is pushed last, and so is the next one out.
  if put_back(overdue[i], values[i], true) then
    restored = restored + 1
  end
end
if restored > 0 then
  redis.call('HINCRBY', KEYS[4], 'messages_restored', restored)
end
return redis.call('ZCOUNT', KEYS[2], '-inf', latest)
