"""The events that go out, read by a consumer that knows nothing of the service."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from confluent_kafka import Message
from pymongo.collection import Collection
from redis import Redis

from models import transitions
from models.ids import new_id
from models.writes import Write
from tests.client import Client
from tests.topics import Topics, headers, value

Orders = Collection[dict[str, Any]]


def one(topics: Topics, topic: str, key: str) -> Message:
    with topics.reader(topic) as reader:
        (message,) = reader.wait_for(1, key=key)
    return message


def test_an_order_s_life_is_told_in_three_events(
    api: Client, topics: Topics, redis_client: Redis, stocked: Callable[[int], str], unique: Callable[[str], str]
) -> None:
    user, product = unique("user"), stocked(10)
    redis_client.hset("user:email", user, "first@example.com")
    order = api.create(user, {"productId": product, "quantity": 2, "unitPrice": "0.10"}, note="none of their business")
    order_id = order["orderId"]
    redis_client.hset("user:email", user, "second@example.com")
    api.write("PUT", f"/order/{order_id}", {"status": "processing"})
    api.write("DELETE", f"/order/{order_id}")

    created = value(one(topics, "order_created", order_id))
    updated = value(one(topics, "order_updated", order_id))
    deleted = value(one(topics, "order_deleted", order_id))

    assert created == {
        "orderId": order_id,
        "userId": user,
        "email": "first@example.com",
        "items": [{"productId": product, "quantity": 2, "unitPrice": "0.10"}],
        "currency": "USD",
        "total": "0.20",
        "status": "confirmed",
        "createdAt": order["createdAt"],
        "version": 1,
    }
    assert updated == {
        **created,
        "email": "second@example.com",
        "status": "processing",
        "version": 2,
        "changed": ["status"],
    }
    assert deleted == {**updated, "version": 3, "changed": []}


def test_an_event_is_a_cloud_event_to_the_specification_s_own_reader(
    api: Client, topics: Topics, stocked: Callable[[int], str], unique: Callable[[str], str]
) -> None:
    order_id = api.create(unique("user"), {"productId": stocked(1), "quantity": 1})["orderId"]
    message = one(topics, "order_created", order_id)

    raw = {name: text.encode() for name, text in headers(message).items()}
    event = from_binary(
        KafkaMessage(headers=raw, key=message.key(), value=message.value() or b""), JSONFormat(), CloudEvent
    )

    assert event.get_id() == f"{order_id}:1"
    assert event.get_type() == "order_created"
    assert event.get_subject() == order_id
    assert event.get_data() == value(message)
    assert event.get_time() is not None


def test_a_customer_without_notifications_is_refused(
    api: Client, topics: Topics, redis_client: Redis, stocked: Callable[[int], str], unique: Callable[[str], str]
) -> None:
    product = stocked(10)
    for preferences in ({"notifications": False}, {"notifications": {"orders": False}}):
        user = unique("user")
        redis_client.hset("user:preferences", user, json.dumps(preferences))
        task = api.write("POST", "/order/create", {"userId": user, "productId": product, "quantity": 1})
        assert (task["outcome"], task["problem"]["type"]) == ("rejected", "notifications-off")
    assert redis_client.get(f"product:{product}:stock") == "10"


def test_preferences_that_allow_or_can_t_be_read_allow(
    api: Client, redis_client: Redis, stocked: Callable[[int], str], unique: Callable[[str], str]
) -> None:
    product = stocked(10)
    for preferences in ('{"notifications": true}', '{"notifications": {"news": false}}', "{broken", "[]"):
        user = unique("user")
        redis_client.hset("user:preferences", user, preferences)
        api.create(user, {"productId": product, "quantity": 1})


def stored_order(user: str, metadata: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a document as a worker stores it, with its event sent."""
    now = datetime(2026, 1, 2, tzinfo=UTC)
    body = {"userId": user, "items": [{"productId": "p", "quantity": 1, "unitPrice": "1"}], "currency": "USD"}
    order_id = new_id()
    made = transitions.create(Write(order_id, order_id, "create", {**body, "metadata": metadata}, now), now)
    return {**made.order, "outbox": []}


def test_user_orders_has_the_newest_hundred_and_says_how_many_there_are(
    api: Client, topics: Topics, orders: Orders, unique: Callable[[str], str]
) -> None:
    user = unique("user")
    orders.insert_many([stored_order(user) for _ in range(103)])
    listed = api.get(f"/order/{user}").json()

    told = value(one(topics, "user_orders", user))

    assert (told["total"], told["truncated"], told["reason"]) == (103, True, "request")
    assert told["orders"] == listed[:100]


def test_user_orders_is_a_cloud_event_of_its_own_each_time(
    api: Client, topics: Topics, unique: Callable[[str], str]
) -> None:
    user = unique("user")
    for _ in range(2):
        api.get(f"/order/{user}")

    with topics.reader("user_orders") as reader:
        first, second = (headers(message) for message in reader.wait_for(2, key=user))

    assert first["ce_id"] != second["ce_id"]
    same = {name: first[name] for name in first if name not in {"ce_id", "ce_time"}}
    assert same == {
        "ce_specversion": "1.0",
        "ce_source": "/order-service",
        "ce_type": "user_orders",
        "ce_subject": user,
        "content-type": "application/json",
    }


def test_user_orders_stays_below_900_000_bytes(
    api: Client, topics: Topics, orders: Orders, unique: Callable[[str], str]
) -> None:
    user = unique("user")
    orders.insert_many([stored_order(user, {"text": "x" * 16_000}) for _ in range(80)])
    api.get(f"/order/{user}", params={"limit": 1})

    message = one(topics, "user_orders", user)

    assert 850_000 < len(message.value() or b"") <= 900_000
    assert (value(message)["total"], value(message)["truncated"]) == (80, True)


def test_a_long_e_mail_counts_towards_the_900_000_bytes(
    api: Client, topics: Topics, orders: Orders, redis_client: Redis, unique: Callable[[str], str]
) -> None:
    user = unique("user")
    redis_client.hset("user:email", user, "\U0001f4ee" * 320)
    orders.insert_one(stored_order(user, {"text": ""}))
    listed = len(api.get(f"/order/all?userId={user}").content) - 1  # less the brackets, and a comma
    orders.delete_many({"userId": user})
    # As many as fill the message but for the last bytes.
    orders.insert_many([stored_order(user, {"text": "x" * (8_989 - listed)}) for _ in range(100)])
    api.get(f"/order/{user}", params={"limit": 1})

    message = one(topics, "user_orders", user)

    assert 880_000 < len(message.value() or b"") <= 900_000
