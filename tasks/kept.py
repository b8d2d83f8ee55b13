"""Tasks that are no writes (levels, logins, users' orders): carried out in groups, and parked where they can't be.

What Kafka or a caller told must not be lost by an error of ours, for nobody would tell it again.
"""

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from models.connections import redis_client
from tasks.grouped import MAX_STARTS, GroupedRequest, GroupedTask
from tasks.patience import persist
from tasks.records import Records
from tasks.set_aside import set_aside
from tasks.stores import SERVER_TIMEOUT

_log = logging.getLogger(__name__)


class Kept(NamedTuple):
    """What a task was told, and the message it came in."""

    task_id: str
    told: Any
    delivery_tag: str


class KeptRequest(GroupedRequest):
    """Such a task in a worker's hands."""

    def as_part(self) -> Kept:
        """Return what the message tells."""
        task: Any = self.task
        return Kept(self.id, task.tells(**self.kwargs), self.message.delivery_tag)


class KeptTask(GroupedTask):
    """A task that is told one thing, of the class `tells`."""

    Request = "tasks.kept:KeptRequest"
    tells: type[Any]


def carry_out(
    work: Callable[[Sequence[Kept]], None], group: Sequence[Kept], redelivered: bool
) -> tuple[list[str], float]:
    """Carry out a group by `work`, which is safe to run twice, and acknowledge it; see `Together`."""
    started = time.monotonic()
    ends = _again(work, group[0]) if redelivered else _together(work, group)
    return ends, time.monotonic() - started


def _together(work: Callable[[Sequence[Kept]], None], group: Sequence[Kept]) -> list[str]:
    """Carry out a group; where one of it makes it fail, find out which by halves."""
    client = redis_client(SERVER_TIMEOUT)
    try:
        persist(partial(work, group))
    except Exception as error:
        if len(group) == 1:
            _log.exception("task %s is parked", group[0].task_id)
            return _park(group[0], f"it raised {type(error).__name__}")
        _log.warning("a group of %d is halved: %s", len(group), type(error).__name__)
        middle = len(group) // 2
        return _together(work, group[:middle]) + _together(work, group[middle:])
    persist(partial(Records(client).acknowledge, [each.delivery_tag for each in group]))
    return ["done"] * len(group)


def _again(work: Callable[[Sequence[Kept]], None], kept: Kept) -> list[str]:
    """Carry out a task that was taken before and did not end: by itself, and only so often."""
    starts = persist(partial(Records(redis_client(SERVER_TIMEOUT)).count_start, kept.task_id))
    if starts >= MAX_STARTS:
        _log.error("task %s is parked: it has ended %d workers", kept.task_id, starts - 1)
        return _park(kept, f"it was started {starts - 1} times and never ended", starts)
    return _together(work, [kept])


def _park(kept: Kept, reason: str, starts: int = 0) -> list[str]:
    persist(partial(set_aside, redis_client(SERVER_TIMEOUT), kept.delivery_tag, reason, starts))
    return ["parked"]
