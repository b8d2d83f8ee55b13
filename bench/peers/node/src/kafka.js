// The one Kafka client of a process, its producer and its topics.
import { Kafka, Partitioners } from 'kafkajs'
import { config } from './config.js'

export const TOPICS_IN = ['product_events', 'user_logged_in']
const TOPICS_OUT = ['order_created', 'user_orders']

export const kafka = new Kafka({ clientId: 'order-service-node', brokers: config.kafkaBrokers })

// Not idempotent: kafkajs marks that experimental and sends one request at a time with it (its issue 353).
// Sends wait for all replicas in any case; a retried one may arrive twice, with the same ce_id.
export const producer = kafka.producer({
  allowAutoTopicCreation: false,
  createPartitioner: Partitioners.DefaultPartitioner,
})

// Topics that exist already are left as they are.
export async function createTopics() {
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics: [...TOPICS_IN, ...TOPICS_OUT].map((topic) => ({ topic })) })
  await admin.disconnect()
}
