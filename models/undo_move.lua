-- Takes back a movement whose transition will not be stored, and forgets it.
--
-- KEYS[1]  the decision taken for this (order, version)
-- ARGV[1]  the task it was taken for; ARGV[2]  the event id of the transition
-- returns  1 where there was such a decision
local verdict, task, takes, at = unpack(redis.call('HMGET', KEYS[1], 'verdict', 'task', 'takes', 'at'))
if task ~= ARGV[1] then
  return 0
end
if verdict == 'moved' then
  count('movements_undone', 1)
  for id, units in pairs(cjson.decode(takes)) do
    local level = key(id, 'level')
    if units > 0 and at then
      release(id, {ARGV[2]})
    elseif available(id) then
      local given, dropped = unpack(redis.call('HMGET', level, 'given', 'dropped'))
      -- What a level has dropped since is on top of nothing any more.
      if not at or not dropped or tonumber(at) >= tonumber(dropped) then
        redis.call('HSET', level, 'given', int(math.max(0, (tonumber(given) or 0) + math.min(units, 0))))
        redis.call('INCRBY', key(id, 'stock'), int(units))
      end
    end
  end
end
return redis.call('DEL', KEYS[1])
