"""Order events and a user's orders as Kafka messages: JSON, with CloudEvents 1.0 attributes in the headers.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md (binary mode)
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import orjson

from models.order import OutboxEvent
from models.representations import ShownOrder, event_json, timestamp
from tasks.publisher import Event

SOURCE = "/order-service"
MAX_USER_ORDERS = 100
MAX_USER_ORDERS_BYTES = 900_000


@dataclass(frozen=True, slots=True)
class UserOrders:
    """Whose orders are published, how many there are in all, and what asked for it."""

    user_id: str
    total: int
    reason: Literal["login", "request"]


def order_event(event: OutboxEvent, order_id: str, email: str | None) -> Event:
    """Return the message of one transition; its `ce_id` is `<orderId>:<version>`, so that a repeat can be dropped."""
    value = orjson.dumps(event_json(event, order_id, email))
    return _message(event["topic"], order_id, value, event["id"], event["at"])


def user_orders_event(
    about: UserOrders, newest: list[ShownOrder], email: str | None, task_id: str, now: datetime
) -> Event:
    """Return a user's newest orders, as many as fit; `email` is the customer's, the `ce_id` is the task's."""
    fitting: list[orjson.Fragment] = []
    value = {
        "userId": about.user_id,
        "email": email,
        "orders": fitting,
        "total": about.total,
        "truncated": False,
        "reason": about.reason,
    }
    size = len(orjson.dumps(value))
    for order in newest[:MAX_USER_ORDERS]:
        text = orjson.dumps(order)
        size += len(text) + 1
        if size > MAX_USER_ORDERS_BYTES:
            break
        fitting.append(orjson.Fragment(text))
    value["truncated"] = len(fitting) < about.total
    return _message("user_orders", about.user_id, orjson.dumps(value), task_id, now)


def _message(topic: str, key: str, value: bytes, event_id: str, at: datetime) -> Event:
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": event_id,
        "ce_source": SOURCE,
        "ce_type": topic,
        "ce_subject": key,
        "ce_time": timestamp(at),
        "content-type": "application/json",
    }
    return Event(topic, key, value, tuple((name, text.encode()) for name, text in attributes.items()))
