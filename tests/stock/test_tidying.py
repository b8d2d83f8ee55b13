"""What beat does for the ledger: undoes what ended tasks left, and knows from when on a silence means something."""

import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from confluent_kafka import Consumer, TopicPartition

import celeryconfig
from models.movements import Movement
from models.stock import Level, Sent, Stock
from tasks import levels_read, unstored
from tasks.records import UNSTORED
from tests.processes import REPOSITORY, Servers, eventually
from tests.topics import Topics


@pytest.fixture(scope="module")
def own(servers: Servers) -> Servers:
    mine = Servers(servers.redis_server, servers.mongod, servers.kafka, database="tidied", redis_db=9)
    mine.make_topics()
    return mine


@pytest.fixture
def client(own: Servers) -> Iterator["redis.Redis"]:
    with own.redis_client() as found:
        found.flushdb()
        yield found
        found.flushdb()


def test_what_an_ended_task_took_without_storing_it_goes_back(
    own: Servers, client: "redis.Redis", unique: Callable[[str], str]
) -> None:
    created, changed, stored, parked = (unique("order") for _ in range(4))
    client.set("product:lamp:stock", 100)
    stock = Stock(client, settle_ms=30_000)
    taking = [(created, 1, "t1"), (changed, 1, "t2"), (changed, 2, "t3"), (changed, 3, "t4"), (stored, 1, "t5")]
    taking += [(parked, 1, "t6")]
    stock.move([Movement(order, version, task, {"lamp": 1}) for order, version, task in taking])
    collection: Any = own.orders()
    collection.insert_one(
        {"_id": changed, "timeline": [{"version": 1, "taskId": "t2"}, {"version": 2, "taskId": "t9"}]}
    )
    collection.insert_one({"_id": stored, "timeline": [{"version": 1, "taskId": "t5"}]})
    ended = [(created, "t1"), (changed, "t3"), (changed, "t4"), (stored, "t5")]
    client.sadd(UNSTORED, *(f"{order} {task}" for order, task in ended))

    unstored.undo(client, stock, collection)

    assert client.hkeys("product:lamp:holds") == [f"{changed}:1", f"{stored}:1", f"{parked}:1"]
    assert client.get("product:lamp:stock") == "97"
    assert client.hget("counts", "movements_undone") == "3"
    assert client.exists(UNSTORED) == 0


class Bridge:
    """As far as it matters here: a group's offsets of `product_events`."""

    def __init__(self, bootstrap: str, group: str) -> None:
        self.group = group
        self._consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group})
        self._bootstrap = bootstrap

    def reads_all(self, but: int = 0) -> None:
        """Commit the end of each partition, less some messages."""
        for partition in self._consumer.list_topics("product_events", 10).topics["product_events"].partitions:
            place = TopicPartition("product_events", partition, max(0, self.end(partition) - but))
            self._consumer.commit(offsets=[place], asynchronous=False)

    def end(self, partition: int) -> int:
        """Return where a partition ends."""
        return self._consumer.get_watermark_offsets(TopicPartition("product_events", partition), 10)[1]

    def close(self) -> None:
        """Leave."""
        self._consumer.close()


@pytest.fixture
def bridge(own: Servers, unique: Callable[[str], str]) -> Iterator[Bridge]:
    found = Bridge(own.kafka.bootstrap, unique("group"))
    yield found
    found.close()


def test_silence_counts_only_up_to_when_every_level_is_known(
    own: Servers, client: "redis.Redis", topics: Topics, bridge: Bridge, unique: Callable[[str], str]
) -> None:
    first, second, third = (datetime.now(UTC) + timedelta(seconds=seconds) for seconds in (0, 10, 20))

    def until(now: datetime) -> int | None:
        return levels_read.until(client, own.kafka.bootstrap, bridge.group, now)

    def waiting(back: int) -> str:
        told = {"source": "product_events/0", "offset": bridge.end(0) - back}
        return json.dumps({"body": b64encode(json.dumps([[], told, {}]).encode()).decode(), "headers": {"x": []}})

    for partition in range(3):
        topics.send("product_events", {"productId": unique("p"), "stock": 1}, partition=partition)
    # A Kafka that was just started answers for no group at first, and such a look notes nothing.
    eventually(lambda: until(first) is None and client.exists(levels_read.KEY))
    bridge.reads_all(but=1)
    assert until(second) is None, "the bridge has not read all that was there at the first look"

    bridge.reads_all()
    assert until(second) == int(first.timestamp() * 1000)
    topics.send("product_events", {"productId": unique("p"), "stock": 1}, partition=0)
    assert until(third) == int(second.timestamp() * 1000), "what came after the second look does not matter"

    bridge.reads_all()
    client.lpush("stock", waiting(1))
    fourth, fifth, sixth = (third + timedelta(seconds=seconds) for seconds in (10, 20, 30))
    assert until(fourth) is None, "a level that was there at the third look waits in the queue"
    client.delete("stock")
    client.hset("unacked", "tag", json.dumps([json.loads(waiting(1)), "", "stock"]))
    client.hset("unacked", "of another queue", json.dumps([json.loads(waiting(1)), "", "orders"]))
    client.hset("unacked", "later", json.dumps([json.loads(waiting(0)), "", "stock"]))
    assert until(fifth) is None, "a worker has it in hand"
    client.hdel("unacked", "tag")
    assert until(sixth) == int(fifth.timestamp() * 1000)


def run_task(own: Servers, name: str, **settings: str) -> None:
    """Run one of beat's tasks in a process of its own, with the service's settings for these servers."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.tasks.dying"],
        input=json.dumps({"task": name, "id": "beat", "kwargs": {}, "after": None}) + "\n",
        cwd=REPOSITORY,
        env={"PATH": "/usr/bin:/bin", **own.environment(), **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert json.dumps({"done": name}) in done.stdout, done.stderr


def test_beat_s_tasks_do_both(
    own: Servers, client: "redis.Redis", bridge: Bridge, unique: Callable[[str], str]
) -> None:
    client.mset({"product:lamp:stock": 10, "product:vase:stock": 10})
    order = unique("order")
    stock = Stock(client, clock=lambda: 2000, settle_ms=30_000)
    stock.move([Movement(order, 1, "revoked", {"vase": 3}), Movement("settled", 1, "task", {"lamp": 3})])
    client.sadd(UNSTORED, f"{order} revoked")
    stock.published([Sent("settled:1", {"lamp": 3}, "order_created", 0, 1, at=1000)])
    stock.set_level(Level("lamp", 7, None, 2000, "product_events/0", 0))
    assert client.mget("product:lamp:stock", "product:vase:stock") == ["4", "7"]

    run_task(own, "undo_unstored_movements")
    for _ in range(2):  # the first one only notes where product_events ends
        bridge.reads_all()
        run_task(own, "settle_quiet_products", KAFKA_GROUP=bridge.group)

    assert client.mget("product:lamp:stock", "product:vase:stock") == ["7", "10"]
    schedule = {entry["task"] for entry in celeryconfig.beat_schedule.values()}
    assert {"undo_unstored_movements", "settle_quiet_products"} <= schedule
