-- Takes back a movement whose transition will not be stored, and forgets it.
--
-- KEYS[1]  the decision taken for this (order, version); ARGV[1]  the task it was taken for
-- returns  1 where there was such a decision
local known = redis.call('HMGET', KEYS[1], 'verdict', 'task', 'takes')
if known[2] ~= ARGV[1] then
  return 0
end
if known[1] == 'moved' then
  for product, units in pairs(cjson.decode(known[3])) do
    local stock = 'product:' .. product .. ':stock'
    if redis.call('EXISTS', stock) == 1 then
      redis.call('INCRBY', stock, units)
    end
  end
end
return redis.call('DEL', KEYS[1])
