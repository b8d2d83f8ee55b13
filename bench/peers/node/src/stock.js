// Stock levels in Redis: set by product events, taken by orders, given back when an order could not be stored.
import { Problem } from './problems.js'
import { redis } from './redis.js'

const TITLES = {
  'unknown-product': 'There is no such product',
  'insufficient-stock': 'There is not enough stock',
}

const stockKey = (productId) => `product:${productId}:stock`

export async function takeStock(items) {
  const keys = items.map((item) => stockKey(item.productId))
  const refusal = await redis.takeStock(keys.length, ...keys, ...items.map((item) => item.quantity))
  if (refusal) {
    const [type, index] = refusal
    throw new Problem(409, type, TITLES[type], { productId: items[index - 1].productId })
  }
}

export function giveStockBack(items) {
  const transaction = redis.multi()
  for (const item of items) transaction.incrby(stockKey(item.productId), item.quantity)
  return transaction.exec()
}

export function setStock(productId, level) {
  return redis.set(stockKey(productId), level)
}

export function removeStock(productId) {
  return redis.del(stockKey(productId))
}
