// Exact sums of money: decimal strings in and out, integers between, never a float.
function decimalsOf(amount) {
  const point = amount.indexOf('.')
  return point === -1 ? 0 : amount.length - point - 1
}

function unitsOf(amount, decimals) {
  return BigInt(amount.replace('.', '') + '0'.repeat(decimals - decimalsOf(amount)))
}

// The total of an order, with as many decimals as its most precise price; null where a price is missing.
export function totalOf(items) {
  if (items.some((item) => item.unitPrice === null)) return null
  const decimals = Math.max(...items.map((item) => decimalsOf(item.unitPrice)))
  const units = items.reduce((sum, item) => sum + BigInt(item.quantity) * unitsOf(item.unitPrice, decimals), 0n)
  if (decimals === 0) return units.toString()
  const digits = units.toString().padStart(decimals + 1, '0')
  return `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`
}
