-- Moves the stock of one transition: all its products or none, and once, however often it is asked.
--
-- KEYS[1]  the decision taken for this (order, version); KEYS[2..]  the products' stock
-- ARGV[1]  task id; ARGV[2]  a refusal found by the caller, or ''
-- ARGV[3]  the units to take by product, as JSON; ARGV[4..]  the same in the order of KEYS (negative: give back)
-- returns  {verdict, detail, task id of the decision}
--
-- A refusal is remembered like a movement: two runs of one task can never come to different answers.
local known = redis.call('HMGET', KEYS[1], 'verdict', 'detail', 'task')
if known[1] then
  return known
end

local function decide(verdict, detail)
  redis.call('HSET', KEYS[1], 'verdict', verdict, 'detail', detail, 'task', ARGV[1], 'takes', ARGV[3])
  return {verdict, detail, ARGV[1]}
end

if ARGV[2] ~= '' then
  return decide('forbidden', ARGV[2])
end

local unknown, short, has_level = {}, {}, {}
for i = 2, #KEYS do
  local stock = tonumber(redis.call('GET', KEYS[i]) or '')
  local units = tonumber(ARGV[i + 2])
  has_level[i] = stock ~= nil and stock == math.floor(stock)
  if units > 0 then
    if not has_level[i] then
      unknown[#unknown + 1] = i - 1
    elseif stock < units then
      short[#short + 1] = string.format('%d=%.0f', i - 1, stock)
    end
  end
end
if #unknown > 0 then
  return decide('unknown', table.concat(unknown, ','))
end
if #short > 0 then
  return decide('short', table.concat(short, ','))
end
for i = 2, #KEYS do
  -- A product that was removed takes nothing back: its key stays away until a newer level comes.
  if has_level[i] then
    redis.call('DECRBY', KEYS[i], ARGV[i + 2])
  end
end
return decide('moved', '')
