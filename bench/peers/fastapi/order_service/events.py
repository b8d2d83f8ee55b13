"""What the rest of the shop is told over Kafka: JSON values with CloudEvents attributes in the headers."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import orjson
import uuid_utils
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import NoError, TopicAlreadyExistsError, for_code

from order_service.schemas import Order

TOPICS_IN = ("product_events", "user_logged_in")
_TOPICS_OUT = ("order_created", "user_orders")
_CREATED = {"order_id", "user_id", "items", "currency", "total", "status", "created_at", "version"}
_MAX_ORDERS = 100


async def create_topics(bootstrap: str) -> None:
    """Make the topics that do not exist yet; those that do are left as they are."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        answer = await admin.create_topics([NewTopic(name, 1, 1) for name in (*TOPICS_IN, *_TOPICS_OUT)])
    finally:
        await admin.close()
    for topic, code, message in answer.topic_errors:
        if code not in {NoError.errno, TopicAlreadyExistsError.errno}:
            raise for_code(code)(f"{topic}: {message}")


class Events:
    """The messages that this service sends. Each is on all replicas when its method returns."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def order_created(self, order: Order, email: str | None) -> None:
        """Tell that an order was stored."""
        value = {**order.model_dump(mode="json", by_alias=True, include=_CREATED), "email": email}
        await self._send("order_created", order.order_id, f"{order.order_id}:{order.version}", value)

    async def user_orders(
        self, user_id: str, email: str | None, orders: Sequence[Order], reason: Literal["login", "request"]
    ) -> None:
        """Tell which orders a customer has; `orders` are all of them, newest first."""
        value = {
            "userId": user_id,
            "email": email,
            "orders": [order.model_dump(mode="json", by_alias=True) for order in orders[:_MAX_ORDERS]],
            "total": len(orders),
            "truncated": len(orders) > _MAX_ORDERS,
            "reason": reason,
        }
        await self._send("user_orders", user_id, str(uuid_utils.uuid7()), value)

    async def _send(self, topic: str, key: str, event_id: str, value: dict[str, Any]) -> None:
        headers = {
            "ce_specversion": "1.0",
            "ce_id": event_id,
            "ce_type": topic,
            "ce_source": "/order-service",
            "ce_time": datetime.now(UTC).isoformat(),
            "content-type": "application/json",
        }
        await self._producer.send_and_wait(
            topic,
            orjson.dumps(value),
            key.encode(),
            headers=[(name, text.encode()) for name, text in headers.items()],
        )
