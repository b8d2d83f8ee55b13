// The HTTP API: one Express app, given connections that are already open.
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import express from 'express'
import mongoose from 'mongoose'
import { findCustomer, wantsNotifications } from './customers.js'
import { publishOrderCreated, publishUserOrders } from './events.js'
import { parseListing, parseOrder } from './orderRequest.js'
import { findOrders, Order, presentOrder, storeOrder } from './orders.js'
import { answerProblem, notFound, Problem } from './problems.js'
import { redis } from './redis.js'
import { giveStockBack, takeStock } from './stock.js'

async function createOrder(request, response) {
  const wanted = parseOrder(request.body)
  const customer = await findCustomer(wanted.userId)
  if (!wantsNotifications(customer.preferences)) {
    throw new Problem(409, 'notifications-off', 'The customer wants no notifications')
  }
  await takeStock(wanted.items)
  let order
  try {
    order = await storeOrder(wanted)
  } catch (error) {
    await giveStockBack(wanted.items)
    throw error
  }
  await publishOrderCreated(order, customer.email)
  response.status(201).location(`/orders/${order._id}`).json(presentOrder(order))
}

async function* jsonArray(orders) {
  let separator = '['
  for await (const order of orders) {
    yield separator + JSON.stringify(presentOrder(order))
    separator = ','
  }
  yield separator === '[' ? '[]' : ']'
}

async function listAll(request, response) {
  const { limit } = parseListing(request.query)
  if (limit) {
    const orders = await findOrders({}, limit)
    response.json(orders.map(presentOrder))
  } else {
    // Without a limit there may be millions.
    response.type('application/json')
    await pipeline(Readable.from(jsonArray(findOrders({}).cursor())), response)
  }
}

async function listOfUser(request, response) {
  const { userId } = request.params
  const orders = await findOrders({ userId })
  response.json(orders.map(presentOrder))
  findCustomer(userId)
    .then((customer) => publishUserOrders(userId, customer.email, orders, 'request'))
    .catch((error) => console.error('user_orders was not sent:', error))
}

async function showOrder(request, response) {
  const order = await Order.findById(request.params.orderId).lean()
  if (!order) notFound()
  response.set('ETag', `"${order.version}"`).json(presentOrder(order))
}

function showReadiness(request, response) {
  const ready = mongoose.connection.readyState === mongoose.STATES.connected && redis.status === 'ready'
  response.status(ready ? 200 : 503).json({ ready })
}

export function createApp() {
  const app = express()
  app.disable('x-powered-by')
  app.use(express.json({ limit: '256kb' }))
  app.post('/order/create', createOrder)
  app.get('/order/all', listAll)
  app.get('/order/:userId', listOfUser)
  app.get('/orders/:orderId', showOrder)
  app.get('/livez', (request, response) => response.json({ alive: true }))
  app.get('/readyz', showReadiness)
  app.use(notFound)
  app.use(answerProblem)
  return app
}
