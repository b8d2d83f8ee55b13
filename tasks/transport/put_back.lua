-- How a message in hand goes back to its queue; requeue.lua and restore.lua begin with this.
--
-- KEYS[1]  unacked; KEYS[2]  unacked_index; KEYS[3]  what was in unacked and can't be read; KEYS[4]  counts

-- The item under another tag, so that a late acknowledgement or renewal of the old copy can't touch this one: `tag`, `tag~1`, `tag~2`.
local function with_tag(item, tag, new)
  for _, colon in ipairs({'": "', '":"'}) do
    local old = '"delivery_tag' .. colon .. tag .. '"'
    local from, to = string.find(item, old, 1, true)
    if from then
      return string.sub(item, 1, from - 1) .. '"delivery_tag' .. colon .. new .. '"' .. string.sub(item, to + 1)
    end
  end
  return item
end

-- The item with `redelivered` in its delivery_info, which is where Celery looks.
local function flagged(item)
  local from = string.find(item, '"delivery_info"', 1, true)
  local head, inside, tail = string.match(item, '^("delivery_info"%s*:%s*{)([^{}]*)(}.*)$', from or 1)
  if not head then
    return item
  end
  local changed, found = string.gsub(inside, '"redelivered"%s*:%s*%a+', '"redelivered": true')
  if found == 0 then
    changed = '"redelivered": true' .. (string.find(inside, '%S') and ', ' or '') .. inside
  end
  return string.sub(item, 1, from - 1) .. head .. changed .. tail
end

-- The text is edited, and then read to see that it says what was meant; else the item goes back as it was.
local function as_new(item, tag, redelivered)
  local base, count = string.match(tag, '^(.*)~(%d+)$')
  local new = string.format('%s~%d', base or tag, (count or 0) + 1)
  local changed = with_tag(item, tag, new)
  if redelivered then
    changed = flagged(changed)
  end
  local right, seen = pcall(function()
    local properties = cjson.decode(changed).properties
    return properties.delivery_tag == new and (not redelivered or properties.delivery_info.redelivered == true)
  end)
  return right and seen and changed or item
end

-- Puts one back to where the next message is taken. Nothing where it was acknowledged or put back before.
local function put_back(tag, value, redelivered)
  -- [message, exchange, queue]
  local item, exchange, queue = string.match(value or '', '^%[(.*),%s*"([^"\\]*)",%s*"([^"\\]*)"%]$')
  if item and exchange == '' and queue ~= '' then
    redis.call('RPUSH', queue, as_new(item, tag, redelivered))
  else
    -- No queue to be read in it, or nothing at all: what there is, is kept for somebody to look at.
    redis.call('LPUSH', KEYS[3], value or tag)
    redis.call('HINCRBY', KEYS[4], 'messages_malformed', 1)
  end
  redis.call('HDEL', KEYS[1], tag)
  redis.call('ZREM', KEYS[2], tag)
  return item ~= nil
end
