// What Redis knows of a customer: preferences and e-mail, learnt at login.
import { redis } from './redis.js'

export async function findCustomer(userId) {
  const [preferences, email] = await Promise.all([redis.hget('user:preferences', userId), redis.hget('user:email', userId)])
  return { preferences: preferences ? JSON.parse(preferences) : {}, email }
}

export function wantsNotifications({ notifications }) {
  return notifications !== false && notifications?.orders !== false
}

export function rememberCustomer({ userId, email, preferences }) {
  const pipeline = redis.pipeline()
  if (preferences) pipeline.hset('user:preferences', userId, JSON.stringify(preferences))
  if (email) pipeline.hset('user:email', userId, email)
  return pipeline.exec()
}
