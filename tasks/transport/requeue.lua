-- Puts messages in hand back (after put_back.lua, with its KEYS); what is no longer in hand is left alone.
--
-- ARGV     tag and '1' (flagged as redelivered) or '0' of each, the newest first: the last one pushed is the next one out
for i = 1, #ARGV, 2 do
  local value = redis.call('HGET', KEYS[1], ARGV[i])
  if value then
    put_back(ARGV[i], value, ARGV[i + 1] == '1')
  end
end
