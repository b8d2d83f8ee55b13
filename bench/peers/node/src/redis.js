// The one connection to Redis, with the script that it knows as a command.
import { readFileSync } from 'node:fs'
import { Redis } from 'ioredis'
import { config } from './config.js'

export const redis = new Redis({ host: config.redisHost, port: config.redisPort, lazyConnect: true })

redis.defineCommand('takeStock', { lua: readFileSync(new URL('takeStock.lua', import.meta.url), 'utf8') })
redis.on('error', (error) => console.error('Redis:', error.message))
