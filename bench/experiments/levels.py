"""Stock levels from Kafka to Redis: how many a second, each of a product of its own, so that all must be applied."""

import json
import time

from confluent_kafka import Producer

from bench.checks import WrongBooksError
from bench.contestants import Contestant
from bench.session import Session
from bench.topic_log import TopicLog
from bench.trial import FINISH_SECONDS, Trial, trial

FIRST = 500
"""Levels that warm up, and tell about how many fill the time."""

MOST = 200_000
LOOK = 2000
"""Products that are looked at by one command."""


def measure(contestant: Contestant, session: Session) -> dict[str, float]:
    """Send levels at once; the clock stops when the last one is in Redis."""
    with trial(contestant, session) as run, run.running():
        refused = TopicLog(run.servers.kafka.bootstrap, "product_events.dlq")
        _apply(run, 0, FIRST)
        took = _apply(run, FIRST, FIRST)
        count = min(MOST, max(FIRST, int(FIRST / took * session.scale.seconds)))
        took = _apply(run, 2 * FIRST, count)
        if refused.count():
            raise WrongBooksError(f"{refused.count()} levels became dead letters")
        refused.close()
    return {"levels/s": count / took, "levels": count}


def _apply(run: Trial, first: int, count: int) -> float:
    """Send levels and wait until all are in Redis; return how long (s) it took."""
    run.tell(f"{count} stock levels")
    levels = {f"level-{number}": number for number in range(first, first + count)}
    began = time.monotonic()
    _send(run, levels)
    waiting = list(levels)
    deadline = time.monotonic() + FINISH_SECONDS
    while waiting:
        there = _applied(run, levels, waiting[:LOOK])
        if there:
            waiting = [product for product in waiting[:LOOK] if product not in there] + waiting[LOOK:]
            deadline = time.monotonic() + FINISH_SECONDS
        else:
            time.sleep(0.02)
        if time.monotonic() > deadline:
            raise WrongBooksError(f"{len(waiting)} of {count} levels are not in Redis")
    return time.monotonic() - began


def _send(run: Trial, levels: dict[str, int]) -> None:
    producer = Producer({"bootstrap.servers": run.servers.kafka.bootstrap, "queue.buffering.max.messages": 2 * MOST})
    for product, units in levels.items():
        producer.produce("product_events", json.dumps({"productId": product, "stock": units}), product)
        producer.poll(0)
    if left := producer.flush(FINISH_SECONDS):
        raise WrongBooksError(f"Kafka did not take {left} levels")


def _applied(run: Trial, levels: dict[str, int], products: list[str]) -> set[str]:
    """Return those of the products that have their level."""
    found = zip(products, run.redis.mget([f"product:{product}:stock" for product in products]), strict=True)
    there = {product: int(level) for product, level in found if level is not None}
    wrong = [product for product, level in there.items() if level != levels[product]]
    if wrong:
        raise WrongBooksError(f"{len(wrong)} levels are wrong: {wrong[0]} is {there[wrong[0]]}")
    return set(there)
