"""What the service learns from Kafka: stock levels and logins."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, ConsumerRecord

from order_service.events import TOPICS_IN
from order_service.shop import Shop

STOP_SECONDS = 10.0

logger = logging.getLogger(__name__)


async def _product_event(shop: Shop, key: str | None, event: dict[str, Any] | None) -> None:
    if event is None or "deleted" in event.get("type", ""):
        await shop.stock.remove(event["productId"] if event else key)
        return
    level = event["stock"]
    if type(level) is not int or level < 0:
        raise ValueError("the stock level is not a whole number")
    await shop.stock.set(event["productId"], level)


async def _user_logged_in(shop: Shop, _: str | None, event: dict[str, Any]) -> None:
    user_id = event["userId"]
    await shop.customers.remember(user_id, event.get("email"), event.get("preferences"))
    customer, orders = await asyncio.gather(shop.customers.find(user_id), shop.orders.of_user(user_id))
    await shop.events.user_orders(user_id, customer.email, orders, "login")


_HANDLERS = {"product_events": _product_event, "user_logged_in": _user_logged_in}


async def _handle(shop: Shop, message: ConsumerRecord[bytes, bytes]) -> None:
    try:
        key = message.key.decode() if message.key is not None else None
        event = orjson.loads(message.value) if message.value is not None else None
        await _HANDLERS[message.topic](shop, key, event)
    except Exception:
        # Raised on, one message that can't be read would stop all behind it.
        logger.exception("%s at offset %d was skipped", message.topic, message.offset)


async def _consume(consumer: AIOKafkaConsumer, shop: Shop) -> None:
    async for message in consumer:
        await _handle(shop, message)


@asynccontextmanager
async def consuming(shop: Shop, bootstrap: str) -> AsyncIterator[None]:
    """Consume beside the block; at its end the consumer stops, and the message in hand is still handled."""
    consumer = AIOKafkaConsumer(
        *TOPICS_IN, bootstrap_servers=bootstrap, group_id="order-service-fastapi", auto_offset_reset="earliest"
    )
    await consumer.start()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_consume(consumer, shop))
        try:
            yield
        finally:
            # While Kafka is away aiokafka tries its last commit again and again, for ever.
            async with asyncio.timeout(STOP_SECONDS):
                await consumer.stop()
