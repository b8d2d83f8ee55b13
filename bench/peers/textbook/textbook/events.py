"""What the rest of the shop is told over Kafka: JSON values with CloudEvents attributes in the headers."""

import json
import uuid
from datetime import UTC, datetime
from functools import cache
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from textbook.config import KAFKA_BROKER
from textbook.orders import newest_first

TOPICS_IN = ["product_events", "user_logged_in"]
_TOPICS_OUT = ["order_created", "user_orders"]
_MAX_ORDERS = 100


def create_topics() -> None:
    """Make the topics that do not exist yet."""
    admin = AdminClient({"bootstrap.servers": KAFKA_BROKER})
    for made in admin.create_topics([NewTopic(name) for name in TOPICS_IN + _TOPICS_OUT]).values():
        try:
            made.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise


@cache
def _producer() -> Producer:
    """Return this process's producer, made after the fork of the pool."""
    create_topics()
    return Producer({"bootstrap.servers": KAFKA_BROKER, "acks": "all", "enable.idempotence": True})


def _send(topic: str, key: str, event_id: str, value: dict[str, Any]) -> None:
    """Send one event and wait for its delivery report; raises KafkaException where it did not arrive."""
    reports: list[KafkaError | None] = []

    def note(error: KafkaError | None, _: Message) -> None:
        reports.append(error)

    headers: dict[str, str | bytes | None] = {
        "ce_specversion": "1.0",
        "ce_id": event_id,
        "ce_type": topic,
        "ce_source": "/order-service",
        "ce_time": datetime.now(UTC).isoformat(),
        "content-type": "application/json",
    }
    producer = _producer()
    producer.produce(topic, json.dumps(value).encode(), key.encode(), headers=headers, on_delivery=note)
    producer.flush()
    for error in reports:
        if error is not None:
            raise KafkaException(error)


def publish_order_created(order: dict[str, Any], email: str | None) -> None:
    """Tell that an order was stored."""
    names = ("orderId", "userId", "items", "currency", "total", "status", "createdAt", "version")
    value = {name: order[name] for name in names} | {"email": email}
    _send("order_created", order["orderId"], f"{order['orderId']}:{order['version']}", value)


def publish_user_orders(user_id: str, email: str | None, reason: str) -> None:
    """Tell which orders a customer has."""
    query = newest_first(user_id=user_id)
    total = query.count()
    value = {
        "userId": user_id,
        "email": email,
        "orders": [order.to_dict() for order in query.limit(_MAX_ORDERS)],
        "total": total,
        "truncated": total > _MAX_ORDERS,
        "reason": reason,
    }
    _send("user_orders", user_id, str(uuid.uuid4()), value)
