-- Takes the units of all items or of none. KEYS: the products' stock keys. ARGV: the quantities.
-- Answers nil, or the name of the problem and the index of the item that has it.
for i, key in ipairs(KEYS) do
  local stock = redis.call('GET', key)
  if not stock then
    return { 'unknown-product', i }
  end
  if tonumber(stock) < tonumber(ARGV[i]) then
    return { 'insufficient-stock', i }
  end
end
for i, key in ipairs(KEYS) do
  redis.call('DECRBY', key, ARGV[i])
end
return false
