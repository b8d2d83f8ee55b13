-- Returns the messages of a queue that have not ended: those that wait, and those that workers have in hand.
--
-- ARGV     queue, how many may wait
-- returns  the messages; nil where more than that wait
local queue = ARGV[1]
if redis.call('LLEN', queue) > tonumber(ARGV[2]) then
  return false
end
local found = redis.call('LRANGE', queue, 0, -1)
-- What workers have in hand is JSON of [message, exchange, routing key].
for _, held in ipairs(redis.call('HVALS', 'unacked')) do
  local from = string.find(held, '"' .. queue .. '"]', -(#queue + 3), true)
  if from then
    -- What can't be read is about to be set aside.
    local readable, message = pcall(cjson.decode, held)
    if readable then
      found[#found + 1] = cjson.encode(message[1])
    end
  end
end
return found
