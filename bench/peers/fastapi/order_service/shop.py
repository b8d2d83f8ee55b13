"""What a process works with, its connections opened: made at start, given to every request and to the consumer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer
from pymongo import AsyncMongoClient
from redis.asyncio import BlockingConnectionPool, Redis

from order_service.config import Settings
from order_service.customers import Customers
from order_service.events import Events, create_topics
from order_service.orders import Orders, mongo_client
from order_service.stock import Stock


@dataclass(frozen=True)
class Shop:
    """The stores and the events."""

    orders: Orders
    stock: Stock
    customers: Customers
    events: Events
    mongo: AsyncMongoClient[dict[str, Any]]
    redis: Redis


@asynccontextmanager
async def open_shop(settings: Settings) -> AsyncIterator[Shop]:
    """Open every connection, and close them at the end of the block."""
    await create_topics(settings.kafka_broker)
    # The default pool raises where all its connections are in use, this one has the next caller wait.
    pool = BlockingConnectionPool(host=settings.redis_host, port=settings.redis_port, decode_responses=True)
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_broker, acks="all", enable_idempotence=True)
    async with mongo_client(settings.mongo_uri) as mongo, Redis.from_pool(pool) as redis, producer:
        orders = Orders(mongo.get_default_database("orders"))
        await orders.make_indexes()
        yield Shop(orders, Stock(redis), Customers(redis), Events(producer), mongo, redis)
