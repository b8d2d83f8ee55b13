"""Who waits for whom: full queues beside a rare one, and many idle consumers."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
import redis

from tests.processes import eventually
from tests.tasks.transport.conftest import Which, message
from tests.tasks.transport.consumers import Consumer

Make = Callable[..., Consumer]


@pytest.mark.parametrize("prefetch", [1, 8])
def test_a_queue_is_heard_while_three_others_are_full(
    which: Which, prefetch: int, store: "redis.Redis", push: Callable[..., str], consumer: Make
) -> None:
    for full in ("a", "b", "c"):
        store.lpush(full, *[message(full, full) for _ in range(200)])
    taker = consumer(which, "a", "b", "c", "rare", prefetch=prefetch)
    before = len(taker.receive(20 if prefetch > 19 else prefetch))
    push("rare", "rare")

    while "rare" not in taker.bodies():
        for held in taker.got:
            if not held.acknowledged:
                held.ack()
                break
        taker.receive(len(taker.got) + 1)
        assert len(taker.got) < 100

    # Each freed place goes to the next queue in turn.
    assert len(taker.got) - before <= 3 * 4
    for full in ("a", "b", "c"):
        assert full in taker.bodies()


def test_sixteen_idle_consumers_wake_for_one_message_and_sleep_again(
    which: Which, store: "redis.Redis", push: Callable[..., str], consumer: Make
) -> None:
    idle = [consumer(which, "q", prefetch=1) for _ in range(16)]
    over = threading.Event()

    def consume(each: Consumer) -> None:
        while not over.is_set():
            each.drain(1)

    threads = [threading.Thread(target=consume, args=[each]) for each in idle]
    for thread in threads:
        thread.start()
    try:
        eventually(lambda: store.info("clients")["blocked_clients"] == 16)
        push("q", "one")
        eventually(lambda: sum(len(each.got) for each in idle) == 1)
        eventually(lambda: store.info("clients")["blocked_clients"] >= 15)
        store.config_resetstat()
        began = _now(store)
        eventually(lambda: _now(store) - began > 2)
        stats: Any = store.info("commandstats")
    finally:
        over.set()
        for thread in threads:
            thread.join()

    asked = stats["cmdstat_brpop" if which == "stock" else "cmdstat_blmove"]["calls"]
    # Each asks once a second.
    assert asked <= 16 * (_now(store) - began + 2)
    assert sum(len(each.got) for each in idle) == 1


def _now(store: "redis.Redis") -> float:
    seconds, microseconds = store.time()
    return float(seconds) + float(microseconds) / 1e6
