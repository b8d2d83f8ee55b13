"""Redis has lost its data: `python -m bridge.rebuild` brings stock and customers back from Kafka and MongoDB."""

import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.movements import Movement
from models.stock import Stock
from tests.processes import Servers, run, service
from tests.topics import Topics

ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


@pytest.fixture(scope="module")
def own(servers: Servers) -> Iterator[Servers]:
    """A database of its own in each store, and the topics of the run with what other tests left there."""
    mine = Servers(servers.redis_server, servers.mongod, servers.kafka, database="rebuilt", redis_db=8)
    mine.make_topics()
    mine.redis_client().flushdb()
    yield mine
    mine.redis_client().flushdb()


def rebuild(own: Servers, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return run({**ENVIRONMENT, **own.environment(), **settings}, "bridge.rebuild", *arguments)


def store(own: Servers, order_id: str, *transitions: dict[str, int], unsent: int = 0, **more: Any) -> None:
    """Store an order, as far as the ledger looks at it; the last `unsent` events are in its outbox."""
    timeline = [
        {
            "version": version,
            "taskId": f"{order_id}-{version}",
            "at": datetime.now(UTC),
            **({"takes": takes} if takes else {}),
        }
        for version, takes in enumerate(transitions, 1)
    ]
    outbox = [{"id": f"{order_id}:{entry['version']}"} for entry in timeline[len(timeline) - unsent :]]
    own.orders().insert_one({"_id": order_id, "timeline": timeline, "outbox": outbox, **more})


def announce(topics: Topics, event: str, topic: str = "order_created") -> tuple[int, int]:
    """Have an event of ours on Kafka; return its partition and offset."""
    with topics.reader(topic) as reader:
        topics.send(topic, {}, event.split(":", maxsplit=1)[0], headers=[("ce_id", event.encode())])
        message = reader.wait_for(1, key=event.split(":", maxsplit=1)[0])[-1]
    partition, offset = message.partition(), message.offset()
    assert partition is not None
    assert offset is not None
    return partition, offset


def test_stock_and_customers_come_back_and_nothing_that_a_level_lacks_is_sold_again(
    own: Servers, topics: Topics, unique: Callable[[str], str]
) -> None:
    lamp, vase, gone, user = unique("lamp"), unique("vase"), unique("gone"), unique("user")
    named, timed, unsent, fresh, unknown, cancelled, seen = (unique("order") for _ in range(7))
    now = datetime.now(UTC)
    long_ago, just_now = now - timedelta(seconds=100), now - timedelta(seconds=1)
    store(own, named, {lamp: 1})
    store(own, timed, {lamp: 2}, publishedAt=long_ago)
    store(own, unsent, {}, {lamp: 4}, unsent=1, publishedAt=long_ago)
    store(own, fresh, {lamp: 8}, publishedAt=just_now)
    store(own, unknown, {lamp: 16, vase: 1})
    store(own, cancelled, {lamp: 32}, {lamp: -32}, publishedAt=just_now)
    store(own, seen, {vase: 2}, publishedAt=just_now)
    announce(topics, f"{cancelled}:1")
    partition, offset = announce(topics, f"{seen}:1")
    topics.level(lamp, 999, time=(now - timedelta(seconds=9)).isoformat(), orderId=named)
    topics.level(lamp, 1000, time=(now - timedelta(seconds=5)).isoformat())
    topics.level(lamp, 1, time=(now - timedelta(seconds=7)).isoformat())
    topics.level(vase, 100, seen={"order_created": {str(partition): offset}})
    topics.level(gone, 5)
    topics.send("product_events", None, gone)
    topics.send("product_events", b"{broken", lamp)
    topics.send("user_logged_in", {"userId": user, "email": "a@example.com"}, user)
    redis = own.redis_client()

    first = rebuild(own)

    assert first.returncode == 0, first.stdout + first.stderr
    assert "products with a stock" in first.stdout
    assert redis.get(f"product:{lamp}:stock") == str(1000 - 4 - 8 - 16 - 32)
    assert redis.get(f"product:{vase}:stock") == str(100 - 1)
    assert redis.get(f"product:{gone}:stock") is None
    assert redis.hget("user:email", user) == "a@example.com"
    assert set(redis.hkeys(f"product:{lamp}:holds")) == {
        f"{unsent}:2",
        f"{fresh}:1",
        f"{unknown}:1",
        f"{cancelled}:1",
    }
    # What is known to be on Kafka may be settled by time; the rest may not.
    assert set(redis.zrange(f"product:{lamp}:published", 0, -1)) == {f"{fresh}:1", f"{cancelled}:1"}
    assert redis.zrange(f"product:{lamp}:offsets", 0, -1) == [f"{cancelled}:1"]

    # A create whose message was not lost with what was decided about it.
    (decision,) = Stock(redis, settle_ms=30_000).move([Movement(fresh, 1, f"{fresh}-1", {lamp: 8})])
    assert decision.problem is None
    assert redis.get(f"product:{lamp}:stock") == str(1000 - 4 - 8 - 16 - 32)

    again = rebuild(own)

    assert again.returncode == 1
    assert "--force" in again.stdout

    # A task that has taken its units, and has yet to store its order.
    Stock(redis, settle_ms=30_000).move([Movement(unique("order"), 1, "task", {lamp: 64})])
    forced = rebuild(own, "--force")

    assert forced.returncode == 0, forced.stdout
    assert redis.get(f"product:{lamp}:stock") == str(1000 - 4 - 8 - 16 - 32 - 64)


def test_by_name_alone_no_order_is_taken_for_included_by_its_time(
    own: Servers, topics: Topics, unique: Callable[[str], str]
) -> None:
    lamp, order = unique("lamp"), unique("order")
    store(own, order, {lamp: 3}, publishedAt=datetime.now(UTC) - timedelta(days=1))
    topics.level(lamp, 10)

    assert rebuild(own, "--force", STOCK_SETTLE="named").returncode == 0

    assert own.redis_client().get(f"product:{lamp}:stock") == "7"


def test_it_refuses_while_workers_run_and_says_so_when_a_server_is_away(
    own: Servers, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with service(own, tmp_path_factory.mktemp("worker")) as running:
        running.worker("stock", "", "--pool", "solo")
        refused = rebuild(own, "--force")
    away = rebuild(own, "--force", KAFKA_BROKER="127.0.0.1:1")

    assert (refused.returncode, away.returncode) == (1, 2)
    assert "workers are running" in refused.stdout
    assert "run it again with --force" in away.stdout
