// The one Kafka client of a process, its producer and its topics.
import { Kafka, Partitioners } from 'kafkajs'
import { config } from './config.js'

export const TOPICS_IN = ['product_events', 'user_logged_in']
const TOPICS_OUT = ['order_created', 'user_orders']

export const kafka = new Kafka({ clientId: 'order-service-node', brokers: config.kafkaBrokers })

export const producer = kafka.producer({
  idempotent: true,
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
