// What a client may send: the body of a create and the query of a list.
import { z } from 'zod'
import { Problem } from './problems.js'

const MAX_QUANTITY = 10_000

const id = z.string().regex(/^[A-Za-z0-9_.:-]{1,64}$/)
const userId = id.refine((value) => value !== 'all' && value !== 'create', 'is a reserved word')
const money = z
  .union([z.string(), z.number()])
  .transform(String)
  .refine((value) => /^\d{1,9}(\.\d{1,4})?$/.test(value), 'is not an amount below 10^9 with at most 4 decimals')

const atMostBytes = (limit) => [
  (value) => Buffer.byteLength(JSON.stringify(value)) <= limit,
  `is longer than ${limit} bytes`,
]

const item = z.strictObject({
  productId: id,
  quantity: z.int().min(1).max(MAX_QUANTITY),
  unitPrice: money.nullable().default(null),
})

function mergeLines(items, context) {
  const merged = new Map()
  items.forEach((line, index) => {
    const earlier = merged.get(line.productId)
    if (!earlier) return merged.set(line.productId, { ...line })
    earlier.quantity += line.quantity
    if (earlier.quantity > MAX_QUANTITY) {
      context.addIssue({ code: 'custom', path: [index, 'quantity'], message: `adds up to more than ${MAX_QUANTITY}` })
    }
    if (earlier.unitPrice !== line.unitPrice) {
      context.addIssue({ code: 'custom', path: [index, 'unitPrice'], message: 'differs for one product' })
    }
  })
  return [...merged.values()]
}

// One product may be given flat, beside the user.
function itemsFromFlat(body) {
  if (!('productId' in body) || 'items' in body) return body
  const { productId, quantity, unitPrice, ...rest } = body
  return { ...rest, items: [{ productId, quantity, unitPrice }] }
}

const order = z.strictObject({
  userId,
  items: z.array(item).min(1).max(100).transform(mergeLines),
  currency: z.string().regex(/^[A-Z]{3}$/).default('USD'),
  shippingAddress: z.record(z.string(), z.string()).refine(...atMostBytes(4096)).nullable().default(null),
  note: z.string().max(2000).nullable().default(null),
  metadata: z.record(z.string(), z.unknown()).refine(...atMostBytes(16_384)).nullable().default(null),
})

const listing = z.strictObject({
  limit: z.string().regex(/^\d+$/).transform(Number).pipe(z.int().min(1).max(1000)).optional(),
})

function errorsOf(error) {
  return error.issues.map((issue) => ({
    pointer: issue.path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join(''),
    detail: issue.message,
  }))
}

export function parseOrder(body) {
  if (body === undefined) throw new Problem(415, 'unsupported-media-type', 'The body has to be application/json')
  const parsed = order.safeParse(itemsFromFlat(body))
  if (!parsed.success) throw new Problem(422, 'invalid-order', 'The order is not valid', { errors: errorsOf(parsed.error) })
  return parsed.data
}

export function parseListing(query) {
  const parsed = listing.safeParse(query)
  if (!parsed.success) throw new Problem(400, 'malformed', 'A query parameter is wrong', { errors: errorsOf(parsed.error) })
  return parsed.data
}
