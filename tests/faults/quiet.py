"""When nothing is in motion any more: only then does a comparison mean something."""

import json
import time
from collections.abc import Iterable, Iterator
from typing import Any, cast

import redis
from celery.states import READY_STATES
from pymongo.errors import PyMongoError

from tests.faults.journal import Journal
from tests.faults.outside import Outside
from tests.faults.shop import QUEUES, Shop

LOOK_SECONDS = 0.2
LOST_SECONDS = 15.0
"""A write that has not ended so long after the last message was worked off is not coming back."""

CHUNK = 1000


def chunks(items: Iterable[str], size: int = CHUNK) -> Iterator[list[str]]:
    """Yield the items, so many at a time."""
    everything = sorted(items)
    for begin in range(0, len(everything), size):
        yield everything[begin : begin + size]


def records(shop: Shop, task_ids: Iterable[str]) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Yield Celery's result record of each task."""
    for some in chunks(task_ids):
        found = cast("list[str | None]", shop.redis.mget([f"celery-task-meta-{task_id}" for task_id in some]))
        for task_id, text in zip(some, found, strict=True):
            yield task_id, None if text is None else json.loads(text)


def settle(shop: Shop, journal: Journal, outside: Outside, within: float) -> list[str]:
    """Wait until everything accepted and everything from Kafka was worked off; return what was not in time."""
    deadline = time.monotonic() + within

    def left() -> float:
        return max(1.0, deadline - time.monotonic())

    try:
        outside.wait_until_read(left())
        still = _wait(shop, journal, left())
        outside.wait_until_read(max(10.0, left()))
    except AssertionError as error:
        return [f"Kafka: {error}"]
    return still


def _wait(shop: Shop, journal: Journal, within: float) -> list[str]:
    deadline = time.monotonic() + within
    waiting = set(journal.unchecked)
    moved = time.monotonic()
    while True:
        try:
            waiting = {task_id for task_id, record in records(shop, waiting) if record and not _ended(record)}
            still = _in_motion(shop, waiting)
        except (redis.RedisError, PyMongoError) as error:
            still = [f"a server does not answer: {type(error).__name__}"]
        if not still or set(still) != {_unended(waiting)}:
            moved = time.monotonic()
        if not still or time.monotonic() > min(deadline, moved + LOST_SECONDS):
            return still
        time.sleep(LOOK_SECONDS)


def _ended(record: dict[str, Any]) -> bool:
    return record["status"] in READY_STATES


def _in_motion(shop: Shop, waiting: set[str]) -> list[str]:
    counts = {f"messages in {queue}": shop.redis.llen(queue) for queue in QUEUES}
    counts["messages in hand"] = shop.redis.hlen("unacked")
    counts["orders with unsent events"] = shop.servers.orders().count_documents({"outbox.at": {"$exists": True}})
    in_motion = [f"{count} {what}" for what, count in counts.items() if count]
    return in_motion + ([_unended(waiting)] if waiting else [])


def _unended(waiting: set[str]) -> str:
    return f"{len(waiting)} accepted writes have not ended"
