"""How messages come back: who held them, what they say then, and that nobody's late word touches the new copy."""

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from local.processes import Child
from local.servers import RedisServer
from tests.processes import REPOSITORY, eventually
from tests.tasks.transport.conftest import Which, cpu_seconds, message
from tests.tasks.transport.consumers import Consumer, age, look_after, waiting

Make = Callable[..., Consumer]


def thousand_overdue(store: "redis.Redis") -> None:
    """Have so many in hands that let them go long ago, for the queue `overdue`, each as large as an order."""
    texts = {f"tag {n}": message("overdue", str(n), f"tag {n}", order="o" * 1500) for n in range(1000)}
    store.hset("unacked", mapping={tag: f'[{text}, "", "overdue"]' for tag, text in texts.items()})
    store.zadd("unacked_index", {f"tag {n}": float(n) for n in range(1000)})


@pytest.fixture
def doomed(server: RedisServer, store: "redis.Redis", which: Which, logs: Path) -> Iterator[Child]:
    """A process that takes what comes and keeps it, with a visibility timeout of 1 s."""
    command = [sys.executable, "-m", "tests.tasks.transport.consumers", str(server.port), which, "q"]
    child = Child("doomed", command, log=logs / "doomed.log", cwd=REPOSITORY)
    child.launch()
    yield child
    child.kill()


def test_what_a_killed_worker_held_comes_back(
    which: Which, doomed: Child, store: "redis.Redis", push: Callable[..., str], consumer: Make
) -> None:
    push("q", "held")
    eventually(lambda: store.hlen("unacked") == 1)

    doomed.kill()
    heir = consumer(which, "q", visibility_timeout=1)
    if which == "stock":
        # A consumer without an event loop never looks by itself under kombu's transport.
        eventually(lambda: look_after(heir) and store.llen("q"))
    heir.receive(1)

    assert heir.bodies() == ["held"]
    assert heir.got[0].delivery_info["redelivered"] is True


def test_whoever_was_killed_holding_a_lock_holds_up_nobody(
    which: Which, store: "redis.Redis", push: Callable[..., str], consumer: Make
) -> None:
    push("q", "held", "tag")
    consumer(which, "q").receive(1)
    age(store, "tag")
    store.set("unacked_mutex", "of a worker that was killed", ex=15)

    look_after(consumer(which))

    # kombu's workers wait until the lock expires, by default after five minutes.
    assert store.llen("q") == (0 if which == "stock" else 1)
    assert store.hget("counts", "messages_restored") == (None if which == "stock" else "1")


def test_a_live_worker_is_not_robbed_of_what_takes_long(
    which: Which, store: "redis.Redis", push: Callable[..., str], consumer: Make
) -> None:
    patient, thief = (consumer(which, "q", visibility_timeout=1, prefetch=1) for _ in range(2))
    push("q", "takes long", "tag")
    patient.receive(1)

    def robbed() -> bool:
        patient.drain(0.1)
        thief.drain(0.1)
        return bool(thief.got)

    if which == "stock":
        eventually(robbed)
        return
    # Six thirds are twice the visibility timeout.
    eventually(lambda: robbed() or int(store.hget("counts", "leases_renewed") or 0) >= 6)
    assert thief.got == []
    patient.got[0].ack()
    assert store.exists("unacked", "unacked_index") == 0


def test_a_frozen_worker_s_late_word_does_not_touch_the_new_copy(
    which: Which, store: "redis.Redis", push: Callable[..., str], consumer: Make
) -> None:
    frozen, heir = consumer(which, "q", prefetch=1), consumer(which, "q")
    push("q", "work", "tag")
    frozen.receive(1)
    age(store, "tag")
    look_after(heir)
    heir.receive(1)

    if which == "ours":
        frozen.channel.qos.renew_leases()
        assert store.zrange("unacked_index", 0, -1) == ["tag~1"]
    frozen.got[0].ack()

    # Under kombu's transport the heir's copy is nowhere now: killed, it takes the message with it.
    assert store.hkeys("unacked") == ([] if which == "stock" else ["tag~1"])


def test_a_thousand_overdue_beside_busy_workers(store: "redis.Redis", consumer: Make) -> None:
    thousand_overdue(store)
    store.lpush("busy", *[message("busy", "busy") for _ in range(3000)])
    over = threading.Event()

    def work(worker: Consumer) -> None:
        while not over.is_set():
            worker.drain(0.1)
            for done in worker.got:
                done.ack()
            worker.got.clear()

    workers = [consumer("ours", "busy", prefetch=8) for _ in range(2)]
    threads = [threading.Thread(target=work, args=[each]) for each in workers]
    for thread in threads:
        thread.start()
    try:
        eventually(lambda: store.llen("overdue") == 1000)
    finally:
        over.set()
        for thread in threads:
            thread.join()

    assert sorted(int(each["body"]) for each in waiting(store, "overdue")) == list(range(1000))
    assert store.hget("counts", "messages_restored") == "1000"


def test_a_thousand_overdue_are_put_back_in_portions(store: "redis.Redis", consumer: Make) -> None:
    thousand_overdue(store)
    idle = consumer("ours")
    before = cpu_seconds(store)

    assert idle.channel.qos.restore_overdue() == 900

    assert cpu_seconds(store) - before < 0.1
    assert [int(each["body"]) for each in waiting(store, "overdue")] == list(range(100))


def test_what_is_overdue_and_can_t_be_read_is_kept_and_holds_up_nothing(store: "redis.Redis", consumer: Make) -> None:
    good = message("q", "good", "good")
    values = {"good": f'[{good}, "", "q"]', "garbled": '[{"half": ', "elsewhere": f'[{good}, "exchange", "q"]'}
    for tag, value in values.items():
        store.hset("unacked", tag, value)
    age(store, *values, "missing")

    look_after(consumer("ours"))

    assert [each["body"] for each in waiting(store)] == ["good"]
    assert set(store.lrange("unacked.malformed", 0, -1)) == {values["garbled"], values["elsewhere"], "missing"}
    assert store.hgetall("counts") == {"messages_malformed": "3", "messages_restored": "2"}
    assert store.exists("unacked", "unacked_index") == 0


def test_requeued_messages_keep_their_order(
    which: Which, store: "redis.Redis", push: Callable[..., str], consumer: Make
) -> None:
    for body in "abcd":
        push("q", body, body)
    taker = consumer(which, "q", prefetch=3)
    taker.receive(3)

    if which == "stock":
        for held in taker.got:
            held.requeue()
        # kombu puts each behind all that wait.
        assert [each["body"] for each in waiting(store)] == ["d", "a", "b", "c"]
        return
    taker.channel.requeue(["c", "a"], redelivered=False)
    taker.got[1].requeue()

    assert [(each["body"], each["properties"]["delivery_tag"]) for each in waiting(store)] == [
        ("b", "b~1"),
        ("a", "a~1"),
        ("c", "c~1"),
        ("d", "d"),
    ]
    assert [each["properties"]["delivery_info"].get("redelivered") for each in waiting(store)] == [True] + [None] * 3
    assert store.exists("unacked", "unacked_index") == 0
    assert taker.channel.qos.can_consume_max_estimate() == 3


def test_at_its_end_a_channel_puts_back_what_it_holds(
    which: Which, store: "redis.Redis", push: Callable[..., str], consumer: Make
) -> None:
    for body in "abcd":
        push("q", body, body)
    leaving = consumer(which, "q", prefetch=3)
    leaving.receive(3)
    if which == "ours":
        leaving.channel.never_started.add("c")

    leaving.close()

    flags = [(each["body"], "redelivered" in each["properties"]["delivery_info"]) for each in waiting(store)]
    if which == "stock":
        assert flags == [("c", True), ("b", True), ("a", True), ("d", False)]
    else:
        assert flags == [("a", True), ("b", True), ("c", False), ("d", False)]
    assert store.exists("unacked") == 0


def test_a_lost_connection_leaves_what_it_held_in_hand(
    which: Which, store: "redis.Redis", push: Callable[..., str], consumer: Make
) -> None:
    for body in "ab":
        push("q", body, body)
    losing = consumer(which, "q", prefetch=2)
    losing.receive(2)

    losing.lose()

    if which == "stock":
        # While the task may still run in a child of this very worker.
        assert store.llen("q") == 2
        return
    assert set(store.hkeys("unacked")) == {"a", "b"}
    # A task that ends all the same is acknowledged over a new connection, or put back.
    losing.got[0].ack()
    losing.got[1].requeue()
    assert [each["body"] for each in waiting(store)] == ["b"]
    assert store.exists("unacked") == 0


def test_what_was_acknowledged_elsewhere_is_forgotten(
    store: "redis.Redis", push: Callable[..., str], consumer: Make
) -> None:
    for body in "ab":
        push("q", body, body)
    taker = consumer("ours", "q", prefetch=1)
    taker.receive(1)
    store.hdel("unacked", "a")
    store.zrem("unacked_index", "a")

    taker.channel.settled(["a"])

    taker.receive(2)
    assert taker.bodies() == ["a", "b"]
