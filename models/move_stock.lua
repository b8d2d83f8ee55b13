-- Moves the stock of many transitions, in their order, each all or none, and once, however often it is asked.
--
-- KEYS     the decisions taken for each (order, version)
-- ARGV[1]  the time (ms), '' for Redis' own
-- ARGV[2]  JSON, one array per key: [event id, task id, the customer whose wishes matter or '', the refusal that follows
--          from them or '', [product...], [units to take, negative: to give back...]]
-- returns  per key {verdict, detail, task id of the decision, '1' where the customer wants to hear of no orders else ''}
--
-- A refusal is remembered like a movement: two runs of one task can never come to different answers. A task that an
-- operator discarded moves nothing any more, however late the worker that has it in hand goes on.
local now, movements = clock(ARGV[1]), cjson.decode(ARGV[2])
local decided, fresh, answers, repeated, refused = {}, {}, {}, 0, 0
local products, touched, preferences, discarded = {}, {}, {}, {}

-- Reads what the movements need of all products and customers: a call for each would take most of the script's time.
local function look()
  local stocks, users = {}, {}
  for _, movement in ipairs(movements) do
    local user, ids = movement[3], movement[5]
    if user ~= '' and preferences[user] == nil then
      preferences[user] = false
      users[#users + 1] = user
    end
    for _, id in ipairs(ids) do
      if products[id] == nil then
        products[id] = false
        touched[#touched + 1] = id
        stocks[#stocks + 1] = key(id, 'stock')
      end
    end
  end
  for i, told in ipairs(#users > 0 and redis.call('HMGET', 'user:preferences', unpack(users)) or {}) do
    preferences[users[i]] = told
  end
  for i, stock in ipairs(#stocks > 0 and redis.call('MGET', unpack(stocks)) or {}) do
    products[touched[i]] = {left = whole(stock) or false, delta = 0, held = 0, given = 0, holds = {}, due = {}}
  end
end

local function look_for_discarded()
  if redis.call('EXISTS', 'stock:discarded') == 0 then
    return
  end
  local tasks = {}
  for i, movement in ipairs(movements) do
    tasks[i] = movement[2]
  end
  for i, told in ipairs(redis.call('SMISMEMBER', 'stock:discarded', unpack(tasks))) do
    discarded[tasks[i]] = told == 1
  end
end

-- A no is `notifications: false` or `notifications.orders: false`; whatever else is there, if anything, is a yes.
local function declined(user)
  local told = preferences[user]
  if not told then
    return false
  end
  local read, found = pcall(cjson.decode, told)
  local setting = read and type(found) == 'table' and found.notifications
  if type(setting) == 'table' then
    return setting.orders == false
  end
  return read and type(found) == 'table' and setting == false
end

local function refusal(ids, units)
  local unknown, short = {}, {}
  for i, id in ipairs(ids) do
    local left = products[id].left
    if units[i] > 0 and not left then
      unknown[#unknown + 1] = i
    elseif units[i] > 0 and left < units[i] then
      short[#short + 1] = i .. '=' .. int(left)
    end
  end
  if #unknown > 0 then
    return 'unknown', table.concat(unknown, ',')
  elseif #short > 0 then
    return 'short', table.concat(short, ',')
  end
end

local function move(event, ids, units)
  for i, id in ipairs(ids) do
    local product = products[id]
    -- A product that was removed takes nothing back: its key stays away until a newer level comes.
    if product.left then
      product.left, product.delta = product.left - units[i], product.delta - units[i]
      if units[i] > 0 then
        product.held = product.held + units[i]
        table.insert(product.holds, event)
        table.insert(product.holds, int(units[i]))
        table.insert(product.due, int(now))
        table.insert(product.due, event)
      else
        product.given = product.given - units[i]
      end
    end
  end
end

look()
look_for_discarded()
local any_known = #KEYS > 0 and redis.call('EXISTS', unpack(KEYS)) > 0
for i, movement in ipairs(movements) do
  local event, task, user, forbidden, ids, units = unpack(movement)
  local silent = declined(user)
  local known = decided[KEYS[i]] or any_known and redis.call('HMGET', KEYS[i], 'verdict', 'detail', 'task')
  if discarded[task] then
    known, refused = {'discarded', '', task}, refused + 1
  elseif known and known[1] then
    repeated = repeated + 1
  else
    local verdict, detail = 'forbidden', forbidden
    if not silent or forbidden == '' then
      verdict, detail = refusal(ids, units)
    end
    if not verdict then
      verdict, detail = 'moved', ''
      move(event, ids, units)
    end
    known = {verdict, detail, task}
    local takes = {}
    for place, id in ipairs(ids) do
      takes[id] = units[place]
    end
    table.insert(fresh, {KEYS[i], known, cjson.encode(takes)})
    decided[KEYS[i]] = known
  end
  answers[i] = {known[1], known[2], known[3], silent and '1' or ''}
end

for _, decision in ipairs(fresh) do
  local known = decision[2]
  redis.call('HSET', decision[1], 'verdict', known[1], 'detail', known[2], 'task', known[3], 'takes', decision[3], 'at', int(now))
end
for _, id in ipairs(touched) do
  local product, level = products[id], key(id, 'level')
  if product.delta ~= 0 then
    redis.call('INCRBY', key(id, 'stock'), int(product.delta))
  end
  if product.held > 0 then
    redis.call('HINCRBY', level, 'held', int(product.held))
    for from = 1, #product.holds, LIMIT do
      local to = math.min(from + LIMIT - 1, #product.holds)
      redis.call('HSET', key(id, 'holds'), unpack(product.holds, from, to))
      redis.call('ZADD', key(id, 'unpublished'), unpack(product.due, from, to))
    end
  end
  if product.given > 0 then
    redis.call('HINCRBY', level, 'given', int(product.given))
    redis.call('HSETNX', level, 'given_first', int(now))
  end
end
count('movements_repeated', repeated)
count('discarded_refused', refused)
return answers
