"""How messages get into somebody's hands: what is lost and what is set aside."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from local.processes import Child
from local.servers import RedisServer
from tests.processes import REPOSITORY, eventually
from tests.tasks.transport.conftest import Which, cpu_seconds, message
from tests.tasks.transport.consumers import Consumer, waiting

Make = Callable[..., Consumer]


@pytest.fixture
def idle(server: RedisServer, store: "redis.Redis", which: Which, logs: Path) -> Iterator[Child]:
    """A process that waits on the queue `q`; Redis knows that it does."""
    command = [sys.executable, "-m", "tests.tasks.transport.consumers", str(server.port), which, "q"]
    child = Child("consumer", command, log=logs / "consumer.log", cwd=REPOSITORY)
    child.launch()
    eventually(lambda: store.info("clients")["blocked_clients"] == 1)
    yield child
    child.kill()


def test_a_worker_frozen_while_idle_given_work_and_killed(
    which: Which, idle: Child, store: "redis.Redis", push: Callable[..., str], consumer: Make
) -> None:
    idle.pause()
    push("q", "work")
    idle.kill()

    heir = consumer(which, "q", visibility_timeout=1)
    if which == "stock":
        # kombu issue 305: Redis had handed it to the frozen worker, which noted it nowhere.
        heir.drain(0.5)
        assert (heir.bodies(), store.llen("q"), store.hlen("unacked")) == ([], 0, 0)
    else:
        assert store.hlen("unacked") == 1  # the frozen worker's, until its lease ends
        heir.receive(1)
        assert heir.bodies() == ["work"]


def test_what_is_pushed_is_taken_in_the_same_turn(store: "redis.Redis", consumer: Make) -> None:
    taker = consumer("ours", "q")
    taker.drain()

    store.lpush("q", *[message("q", str(number)) for number in range(150)])

    assert (store.hlen("unacked"), store.llen("q")) == (100, 50)  # and it has not even been told
    taker.receive(150)
    assert taker.bodies() == [str(number) for number in range(150)]


def test_who_consumes_two_queues_takes_when_it_is_told(
    store: "redis.Redis", push: Callable[..., str], consumer: Make
) -> None:
    taker = consumer("ours", "q", "another", prefetch=1)
    taker.drain()

    push("q", "one")
    push("another", "two")

    assert store.exists("unacked") == 0
    taker.receive(1)
    taker.drain(0.2)
    assert store.hlen("unacked") == 1


@pytest.mark.parametrize("pushed", [0, 1, 3])
def test_who_stops_consuming_puts_back_what_came_last(
    pushed: int, store: "redis.Redis", push: Callable[..., str], consumer: Make
) -> None:
    leaving = consumer("ours", "q")
    leaving.drain()
    for number in range(pushed):
        push("q", str(number))

    leaving.cancel()

    assert store.exists("unacked", "unacked_index") == 0
    assert [each["body"] for each in waiting(store)] == [str(number) for number in range(pushed)]
    assert not any(each["properties"]["delivery_info"].get("redelivered") for each in waiting(store))
    heir = consumer("ours", "q")
    assert len(heir.receive(pushed)) == pushed


def test_redis_forgets_its_scripts_while_one_waits(
    store: "redis.Redis", push: Callable[..., str], consumer: Make
) -> None:
    taker = consumer("ours", "q")
    taker.drain()
    store.script_flush()

    push("q", "one")
    taker.receive(1)
    push("q", "two")
    taker.receive(2)

    assert taker.bodies() == ["one", "two"]
    assert store.hlen("unacked") == 2


def test_malformed_items_among_good_ones(
    which: Which, store: "redis.Redis", push: Callable[..., str], consumer: Make
) -> None:
    taker = consumer(which, "q")
    bad: list[str | bytes] = [
        "{",
        "null",
        "[]",
        '{"properties": []}',
        '{"properties": {"delivery_tag": null}}',
        '{"properties": {"delivery_tag": 7}}',
        json.dumps({"properties": {"delivery_tag": "a list", "delivery_info": [1]}}),
        json.dumps({"headers": 3, "properties": {"delivery_tag": "no headers", "delivery_info": {}}}),
        json.dumps({"body": "a", "properties": {"delivery_tag": "no body", "body_encoding": "base64"}}),
        b'{"body": "\xff", "properties": {"delivery_tag": "no text", "delivery_info": {}}}',
        "[" * 2000 + "]" * 2000,
        message("q", "another with a tag that is taken", "good 0"),
    ]
    for number, item in enumerate(bad):
        push("q", f"good {number}", f"good {number}")
        store.lpush("q", item)
    push("q", "the last", "the last")

    if which == "stock":
        taker.receive(1)
        with pytest.raises(ValueError, match="Expecting property name"):
            taker.receive(2)
        assert "{" not in store.lrange("q", 0, -1)  # and it is nowhere else
        return
    taker.receive(len(bad) + 1)
    assert taker.bodies() == [f"good {number}" for number in range(len(bad))] + ["the last"]
    set_aside = [str(item).encode(errors="surrogateescape") for item in store.lrange("q.malformed", 0, -1)]
    assert sorted(set_aside) == sorted(item if isinstance(item, bytes) else item.encode() for item in bad)
    assert store.hget("counts", "messages_malformed") == str(len(bad))
    assert store.hlen("unacked") == store.zcard("unacked_index") == len(bad) + 1


def test_a_tag_that_is_in_hand_stands_for_no_other_message(
    store: "redis.Redis", push: Callable[..., str], consumer: Make
) -> None:
    taker = consumer("ours", "q")
    held = push("q", "one", "tag")
    taker.receive(1)

    other = push("q", "another", "tag")
    push("q", "two")
    taker.receive(2)

    assert taker.bodies() == ["one", "two"]
    assert store.lrange("q.malformed", 0, -1) == [other]
    assert json.loads(str(store.hget("unacked", "tag")))[0] == json.loads(held)


def test_what_is_in_hand_is_noted_as_kombu_does(
    which: Which, store: "redis.Redis", push: Callable[..., str], consumer: Make
) -> None:
    taker = consumer(which, "q")
    # Empty lists and long numbers, which Lua's JSON would change.
    text = push("q", "one", "tag", nothing=[], number=12345678901234567890, exact="1.10")

    (got,) = taker.receive(1)

    noted, exchange, routing_key = json.loads(str(store.hget("unacked", "tag")))
    assert (noted, exchange, routing_key) == (json.loads(text), "", "q")
    assert abs(float(store.zscore("unacked_index", "tag") or 0) - float(store.time()[0])) < 60
    got.ack()
    assert store.exists("unacked", "unacked_index") == 0


@pytest.mark.parametrize(("which", "count"), [("stock", 300), ("ours", 10_000)], indirect=["which"])
def test_many_waiting_come_in_order(which: Which, count: int, store: "redis.Redis", consumer: Make) -> None:
    store.lpush("q", *[message("q", str(number)) for number in range(count)])
    store.config_resetstat()
    taker = consumer(which, "q")
    before = cpu_seconds(store)

    taker.receive(count)

    assert taker.bodies() == [str(number) for number in range(count)]
    assert store.hlen("unacked") == count
    if which == "ours":
        scripts = store.info("commandstats")["cmdstat_evalsha"]["calls"]
        assert scripts >= count / 500
        assert (cpu_seconds(store) - before) / scripts < 0.1  # none keeps Redis from others for longer
    store.delete("unacked", "unacked_index")
    taker.lose()


def test_prefetch_is_kept(which: Which, store: "redis.Redis", push: Callable[..., str], consumer: Make) -> None:
    for number in range(10):
        push("q", str(number))
    taker = consumer(which, "q", prefetch=3)

    taker.receive(3)
    taker.drain(0.2)
    assert taker.bodies() == ["0", "1", "2"]
    taker.got[0].ack()
    taker.receive(4)
    taker.drain(0.2)

    assert taker.bodies() == ["0", "1", "2", "3"]
    assert (store.hlen("unacked"), store.llen("q")) == (3, 6)


def test_no_ack_leaves_nothing_in_hand(
    which: Which, store: "redis.Redis", push: Callable[..., str], consumer: Make
) -> None:
    for number in range(3):
        push("q", str(number))
    taker = consumer(which, "q", no_ack=True)

    taker.receive(3)
    taker.close()

    assert taker.bodies() == ["0", "1", "2"]
    assert store.exists("q", "unacked", "unacked_index") == 0


def test_getting_one_by_hand(which: Which, store: "redis.Redis", push: Callable[..., str], consumer: Make) -> None:
    taker = consumer(which)
    assert taker.channel.basic_get("q") is None
    push("q", "one", "tag")

    got = taker.channel.basic_get("q")

    assert got.body == b"one"
    assert store.hkeys("unacked") == ["tag"]
    got.ack()
    assert store.exists("unacked") == 0


def test_redis_has_no_memory_left(which: Which, store: "redis.Redis", push: Callable[..., str], consumer: Make) -> None:
    taker = consumer(which, "q")
    push("q", "one")
    store.config_set("maxmemory", 1)
    try:
        if which == "stock":
            with pytest.raises(redis.OutOfMemoryError):
                taker.receive(1)
            assert store.exists("q", "unacked") == 0  # it had been popped
            return
        taker.drain(0.2)
        assert (taker.got, store.llen("q")) == ([], 1)
    finally:
        store.config_set("maxmemory", 0)

    taker.receive(1)
    assert taker.bodies() == ["one"]


def test_what_fails_halfway_is_lost_by_nobody(
    which: Which, store: "redis.Redis", push: Callable[..., str], consumer: Make
) -> None:
    push("q", "one", "tag")
    store.set("unacked_index", "no sorted set, so noting it ends with an error")
    with pytest.raises(redis.ResponseError):
        consumer(which, "q").receive(1)
    store.delete("unacked_index")

    if which == "stock":
        assert store.llen("q") == 0
        assert store.zcard("unacked_index") == 0  # in which alone kombu looks for what is overdue
        return
    taker = consumer(which, "q")
    taker.receive(1)
    assert taker.bodies() == ["one"]
    assert store.hkeys("unacked") == store.zrange("unacked_index", 0, -1) == ["tag"]


def test_a_lease_is_not_renewed_for_ever(store: "redis.Redis", push: Callable[..., str], consumer: Make) -> None:
    push("q", "hangs", "tag")
    hanging = consumer("ours", "q", visibility_timeout=1, max_lease_age=0)
    hanging.receive(1)

    hanging.channel.qos.renew_leases()

    assert store.hget("counts", "leases_renewed") is None
