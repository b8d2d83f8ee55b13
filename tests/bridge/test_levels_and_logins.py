"""`product_events` and `user_logged_in` over real Kafka, as they end in Redis."""

import json
import time
from collections.abc import Callable
from typing import Any

from redis import Redis

from tests.processes import Service, eventually
from tests.topics import Topics, value

DAY_MS = 24 * 3600 * 1000


def now_ms() -> int:
    return int(time.time() * 1000)


def stock(redis: Redis, product: str) -> Any:
    return redis.get(f"product:{product}:stock")


def passed(topics: Topics, redis: Redis, unique: Callable[[str], str]) -> None:
    """Wait until what was sent so far has been applied: a level in every partition behind it has."""
    markers = [unique("marker") for _ in range(3)]
    for partition, marker in enumerate(markers):
        topics.send("product_events", {"productId": marker, "stock": 1}, marker, partition=partition)
    eventually(lambda: all(stock(redis, marker) == "1" for marker in markers))
    eventually(lambda: redis.llen("stock") == 0 and redis.hlen("unacked") == 0)


def test_every_class_of_shape_ends_in_the_three_keys(
    shop: Service, topics: Topics, redis_client: Redis, unique: Callable[[str], str]
) -> None:
    cloud_event = {"specversion": "1.0", "id": unique("event"), "source": "/shop", "type": "changed"}
    products = [unique("product") for _ in range(4)]
    topics.send("product_events", {"product_id": products[0], "available": 1}, products[0])
    topics.send("product_events", {"type": "stock", "product": {"sku": products[1]}, "quantity": 2.0}, products[1])
    topics.send("product_events", {**cloud_event, "data": {"id": products[2], "inventory": 3}}, products[2])
    binary = [("ce_specversion", b"1.0"), ("ce_id", b"event"), ("ce_time", b"2026-01-02T03:04:05Z")]
    topics.send("product_events", {"_id": products[3], "stock": 0}, products[3], headers=binary)
    told = {
        "email": "a@example.com",
        "preferences": {"notifications": {"orders": False}, "näme": None, "__type__": "x", "__value__": 1},
    }
    users = [unique("user") for _ in range(4)]
    topics.send("user_logged_in", {"userId": users[0], **told}, users[0])
    topics.send("user_logged_in", {"user": {"_id": users[1], **told}}, users[1])
    topics.send("user_logged_in", {**cloud_event, "data": {"id": users[2], **told}}, users[2])
    topics.send("user_logged_in", {"payload": {"user": {"user_id": users[3]}, **told}}, users[3])

    eventually(lambda: [stock(redis_client, each) for each in products] == ["1", "2", "3", "0"])
    eventually(lambda: redis_client.hmget("user:email", users) == ["a@example.com"] * 4)
    eventually(lambda: None not in redis_client.hmget("user:preferences", users))
    for preferences in redis_client.hmget("user:preferences", users):
        assert json.loads(str(preferences)) == told["preferences"]


def test_a_clock_far_ahead_does_not_shut_later_levels_out(
    shop: Service, topics: Topics, redis_client: Redis, unique: Callable[[str], str]
) -> None:
    product = unique("product")

    topics.level(product, 1, time="2999-01-01T00:00:00Z")
    topics.level(product, 2, time=now_ms() + 1000)

    eventually(lambda: stock(redis_client, product) == "2")


def test_an_older_level_never_overwrites_a_newer_one(
    shop: Service, topics: Topics, redis_client: Redis, unique: Callable[[str], str]
) -> None:
    by_time, by_version, by_order = unique("product"), unique("product"), unique("product")
    at = now_ms() - 10_000

    for units, moment in ((5, at), (3, at - 1), (9, at - DAY_MS)):
        topics.level(by_time, units, time=moment)
    for units, version, moment in ((5, 2, at), (3, 1, at + 1)):
        topics.level(by_version, units, version=version, time=moment)
    for units in (1, 2, 3):
        topics.level(by_order, units, time=at)
    passed(topics, redis_client, unique)

    assert stock(redis_client, by_time) == "5"
    assert stock(redis_client, by_version) == "5"
    assert stock(redis_client, by_order) == "3"


def test_of_two_levels_at_one_time_the_later_in_a_partition_counts_and_another_partition_says_nothing(
    shop: Service, topics: Topics, redis_client: Redis, unique: Callable[[str], str]
) -> None:
    product, at = unique("product"), now_ms() - 10_000
    level = {"productId": product, "time": at}
    for units in (1, 2):
        topics.send("product_events", {**level, "stock": units}, product, partition=0)
    eventually(lambda: stock(redis_client, product) == "2")

    topics.send("product_events", {**level, "stock": 3}, product, partition=1)
    passed(topics, redis_client, unique)

    assert stock(redis_client, product) == "2"


def test_a_removed_product_comes_back_with_a_newer_level_alone(
    shop: Service, topics: Topics, redis_client: Redis, unique: Callable[[str], str]
) -> None:
    product, tombstoned = unique("product"), unique("product")
    at = now_ms() - 10_000
    topics.level(product, 5, time=at)
    topics.level(tombstoned, 5, time=at)
    topics.send("product_events", {"productId": product, "type": "product.deleted", "time": at + 2}, product)
    topics.send("product_events", None, tombstoned)
    topics.level(product, 7, time=at + 1)
    passed(topics, redis_client, unique)
    assert stock(redis_client, product) is None
    assert stock(redis_client, tombstoned) is None

    topics.level(product, 9, time=at + 3)
    eventually(lambda: stock(redis_client, product) == "9")


def test_each_field_of_a_login_is_ordered_by_itself(
    shop: Service, topics: Topics, redis_client: Redis, unique: Callable[[str], str]
) -> None:
    user, other = unique("user"), unique("user")
    at = now_ms() - 10_000

    def send(told: dict[str, Any]) -> None:
        topics.send("user_logged_in", {"userId": user, **told}, user, partition=0)

    send({"email": "new@example.com", "time": at})
    send({"email": "old@example.com", "preferences": {"notifications": False}, "time": at - 5})
    send({"time": at + 5})
    send({"preferences": {"notifications": True}, "time": at - 9})
    topics.send("user_logged_in", {"userId": other, "email": "other@example.com"}, other, partition=0)
    eventually(lambda: redis_client.hget("user:email", other) == "other@example.com")
    eventually(lambda: redis_client.hget("user:preferences", user) == '{"notifications": false}')

    assert redis_client.hget("user:email", user) == "new@example.com"


def test_a_login_publishes_the_users_orders_and_an_old_one_does_not(
    shop: Service, topics: Topics, unique: Callable[[str], str]
) -> None:
    fresh, stale = unique("user"), unique("user")
    topics.send("user_logged_in", {"userId": stale, "email": "s@example.com", "time": now_ms() - DAY_MS}, stale)
    topics.send("user_logged_in", {"userId": fresh, "email": "f@example.com"}, fresh)

    with topics.reader("user_orders") as reader:
        (told,) = reader.wait_for(1, key=fresh)
        everything = reader.drain()

    assert value(told) == {
        "userId": fresh,
        "email": "f@example.com",
        "orders": [],
        "total": 0,
        "truncated": False,
        "reason": "login",
    }
    assert not [message for message in everything if message.key() == stale.encode()]
