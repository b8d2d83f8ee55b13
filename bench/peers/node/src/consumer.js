// What the service learns from Kafka: stock levels and logins.
import { findCustomer, rememberCustomer } from './customers.js'
import { publishUserOrders } from './events.js'
import { kafka, TOPICS_IN } from './kafka.js'
import { findOrders } from './orders.js'
import { removeStock, setStock } from './stock.js'

const handlers = {
  async product_events(productId, event) {
    if (event === null || event.type?.includes('deleted')) return removeStock(event?.productId ?? productId)
    if (!Number.isInteger(event.stock) || event.stock < 0) throw new Error('the stock level is not a whole number')
    return setStock(event.productId, event.stock)
  },

  async user_logged_in(_, event) {
    await rememberCustomer(event)
    const [customer, orders] = await Promise.all([findCustomer(event.userId), findOrders({ userId: event.userId })])
    return publishUserOrders(event.userId, customer.email, orders, 'login')
  },
}

function parse(value) {
  return value === null ? null : JSON.parse(value.toString())
}

export async function startConsumer() {
  const consumer = kafka.consumer({ groupId: 'order-service-node', allowAutoTopicCreation: false })
  await consumer.connect()
  await consumer.subscribe({ topics: TOPICS_IN, fromBeginning: true })
  await consumer.run({
    eachMessage: async ({ topic, message }) => {
      try {
        await handlers[topic](message.key?.toString(), parse(message.value))
      } catch (error) {
        // Thrown on, one message that can't be read would stop all behind it.
        console.error(`${topic} at offset ${message.offset} was skipped:`, error)
      }
    },
  })
  return consumer
}
