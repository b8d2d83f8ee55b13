// Starts and stops the service: one process, or WORKERS of them that share the port.
import cluster from 'node:cluster'
import mongoose from 'mongoose'
import { createApp } from './app.js'
import { config } from './config.js'
import { startConsumer } from './consumer.js'
import { createTopics, producer } from './kafka.js'
import { Order } from './orders.js'
import { redis } from './redis.js'

async function serve() {
  await Promise.all([mongoose.connect(config.mongoUri), redis.connect(), createTopics()])
  await Promise.all([Order.init(), producer.connect()])
  const consumer = await startConsumer()
  const server = createApp().listen(config.port, '127.0.0.1', (error) => {
    if (error) throw error
    console.log(`listening on 127.0.0.1:${config.port}`)
  })

  const stop = () => {
    server.close(async () => {
      await consumer.disconnect()
      await producer.disconnect()
      await Promise.all([redis.quit(), mongoose.disconnect()])
      process.exit(0)
    })
    server.closeIdleConnections()
  }
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
}

function superviseWorkers() {
  let stopping = false
  for (let number = 0; number < config.workers; number += 1) cluster.fork()
  cluster.on('exit', () => {
    if (!stopping) cluster.fork()
  })
  const stop = () => {
    stopping = true
    for (const worker of Object.values(cluster.workers)) worker.process.kill('SIGTERM')
  }
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
}

if (cluster.isPrimary && config.workers > 1) {
  superviseWorkers()
} else {
  await serve()
}
