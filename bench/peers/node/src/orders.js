// The order as MongoDB holds it and as JSON shows it.
import mongoose from 'mongoose'
import { v7 as uuidv7 } from 'uuid'
import { totalOf } from './money.js'

const { Schema } = mongoose

const itemSchema = new Schema(
  {
    productId: { type: String, required: true },
    quantity: { type: Number, required: true },
    unitPrice: { type: Schema.Types.Decimal128, default: null },
  },
  { _id: false },
)

const orderSchema = new Schema(
  {
    // Random and ordered by time, so the newest first is the order of the primary key.
    _id: { type: String, default: () => uuidv7() },
    userId: { type: String, required: true },
    items: { type: [itemSchema], required: true },
    currency: { type: String, required: true },
    total: { type: Schema.Types.Decimal128, default: null },
    status: { type: String, default: 'confirmed' },
    shippingAddress: { type: Schema.Types.Mixed, default: null },
    note: { type: String, default: null },
    metadata: { type: Schema.Types.Mixed, default: null },
    version: { type: Number, default: 1 },
  },
  {
    collection: 'orders',
    timestamps: true,
    versionKey: false,
    minimize: false,
    writeConcern: { w: 'majority', j: true },
  },
)
orderSchema.index({ userId: 1, _id: -1 })

export const Order = mongoose.model('Order', orderSchema)

export async function storeOrder(request) {
  const order = await Order.create({ ...request, total: totalOf(request.items) })
  return order.toObject()
}

export function findOrders(filter, limit = 0) {
  return Order.find(filter).sort({ _id: -1 }).limit(limit).lean()
}

const amount = (decimal) => decimal?.toString() ?? null

export function presentOrder(order) {
  return {
    orderId: order._id,
    userId: order.userId,
    items: order.items.map((item) => ({
      productId: item.productId,
      quantity: item.quantity,
      unitPrice: amount(item.unitPrice),
    })),
    currency: order.currency,
    total: amount(order.total),
    status: order.status,
    shippingAddress: order.shippingAddress,
    note: order.note,
    metadata: order.metadata,
    version: order.version,
    createdAt: order.createdAt,
    updatedAt: order.updatedAt,
  }
}
