// What the rest of the shop is told over Kafka: JSON values with CloudEvents attributes in the headers.
import { v7 as uuidv7 } from 'uuid'
import { presentOrder } from './orders.js'
import { producer } from './kafka.js'

const MAX_ORDERS = 100

function send(topic, key, id, value) {
  const headers = {
    ce_specversion: '1.0',
    ce_id: id,
    ce_type: topic,
    ce_source: '/order-service',
    ce_time: new Date().toISOString(),
    'content-type': 'application/json',
  }
  return producer.send({ topic, acks: -1, messages: [{ key, value: JSON.stringify(value), headers }] })
}

export function publishOrderCreated(order, email) {
  const { orderId, userId, items, currency, total, status, createdAt, version } = presentOrder(order)
  const value = { orderId, userId, email, items, currency, total, status, createdAt, version }
  return send('order_created', orderId, `${orderId}:${version}`, value)
}

export function publishUserOrders(userId, email, orders, reason) {
  const value = {
    userId,
    email,
    orders: orders.slice(0, MAX_ORDERS).map(presentOrder),
    total: orders.length,
    truncated: orders.length > MAX_ORDERS,
    reason,
  }
  return send('user_orders', userId, uuidv7(), value)
}
