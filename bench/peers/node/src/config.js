// Where the servers are: the five variables of the contract, and WORKERS.
const env = process.env

export const config = {
  port: Number(env.PORT ?? 8002),
  mongoUri: env.MONGO_URI ?? 'mongodb://127.0.0.1:27017/orders',
  redisHost: env.REDIS_HOST ?? '127.0.0.1',
  redisPort: Number(env.REDIS_PORT ?? 6379),
  kafkaBrokers: (env.KAFKA_BROKER ?? '127.0.0.1:9092').split(','),
  workers: Number(env.WORKERS ?? 1),
}
