"""Group commit, the worker's side: tasks of one kind that wait together go to a process of the pool together.

A batch starts as soon as the pool has room, with whatever waits by then: a lone task waits for nobody, and the busier
the worker, the larger its batches. Each task keeps its own request: events for Flower, `inspect active` and revoking
work as for any task of Celery's.
"""

import logging
from collections import Counter, deque
from collections.abc import Sequence
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from celery.exceptions import ImproperlyConfigured
from celery.worker import state
from celery.worker.strategy import default

from tasks.grouped import GroupedRequest, Together

MAX_BATCH = 250
"""Tasks that run together at the most."""

GROUPED_QUEUES = {"orders", "stock", "logins", "publish"}

_log = logging.getLogger(__name__)


class Batches:
    """The tasks that one worker has taken and not started."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._waiting: dict[Together, deque[GroupedRequest]] = {}
        self._asked = False

    def forget(self) -> None:
        """Drop what waits: the connection it came by is gone, and its messages come back by themselves."""
        self._waiting.clear()
        self._asked = False

    def add(self, request: GroupedRequest) -> None:
        """Have a task carried out with what waits beside it (what Celery calls `on_task_request`)."""
        # Here, so that a message without what its task needs is set aside alone (tasks/consumer.py).
        request.part = request.as_part()
        task: Any = request.task
        self._waiting.setdefault(task.together, deque()).append(request)
        request.message.channel.never_started.add(request.message.delivery_tag)
        if not self._asked:
            self._asked = True
            # Not now: what was taken from the queue together with this one is handed over in this same turn.
            self._consumer.hub.call_soon(self._ask)

    def _ask(self) -> None:
        """Ask for room in the pool where it counts (prefork); threads have a queue, and `solo` is this process."""
        if self._consumer.pool.uses_semaphore:
            self._consumer.controller.semaphore.acquire(self._start)
        else:
            self._start()

    def _start(self) -> None:
        """Hand what waits to a process that has room."""
        self._asked = False
        together, batch = self._next()
        if together is None:
            if self._consumer.pool.uses_semaphore:
                self._consumer.controller.semaphore.release()
            return
        for request in batch:
            request.message.channel.never_started.discard(request.message.delivery_tag)
        self._consumer.pool.apply_async(
            together,
            args=([request.part for request in batch], _redelivered(batch[0])),
            accept_callback=partial(_accepted, batch),
            callback=partial(_ended, batch),
            error_callback=partial(_lost, batch),
            correlation_id=batch[0].id,
        )
        if self._waiting:
            self._asked = True
            self._consumer.hub.call_soon(self._ask)

    def _next(self) -> tuple[Together | None, list[GroupedRequest]]:
        """Return the next batch and what carries it out, None where nothing is left; each kind has its turn."""
        while self._waiting:
            together = next(iter(self._waiting))
            waiting = self._waiting.pop(together)
            batch = _batch(waiting)
            if waiting:
                self._waiting[together] = waiting  # behind the others
            if batch:
                return together, batch
        return None, []


def _batch(waiting: deque[GroupedRequest]) -> list[GroupedRequest]:
    """Take the next batch; a redelivered task runs alone, for it may be what ended the worker before."""
    batch: list[GroupedRequest] = []
    while waiting and len(batch) < MAX_BATCH:
        if batch and _redelivered(waiting[0]):
            break
        request = waiting.popleft()
        if request.revoked():  # which ends and acknowledges it
            continue
        batch.append(request)
        if _redelivered(request):
            break
    return batch


_of_consumers: WeakKeyDictionary[Any, Batches] = WeakKeyDictionary()


def strategy(task: Any, app: Any, consumer: Any) -> Any:
    """Return Celery's own strategy, with the last step replaced: a task goes to a batch instead of the pool."""
    if consumer.hub is None:
        raise ImproperlyConfigured("Our tasks are not for eventlet or gevent: use prefork (the default).")
    batches = _of_consumers.setdefault(consumer, Batches(consumer))
    batches.forget()
    if not GROUPED_QUEUES.isdisjoint(app.amqp.queues.consume_from):
        # Twice what the pool can hold: while it works, the next batches gather.
        consumer.initial_prefetch_count = 2 * MAX_BATCH * consumer.pool.num_processes
        if consumer.event_dispatcher is not None:
            # Celery sends the events of one turn of its loop together, by 24; ours are as many as a batch has tasks.
            consumer.event_dispatcher.buffer_limit = 2 * MAX_BATCH
    return default(task, app, _Gathering(consumer, batches))


class _Gathering:
    """A consumer that gives tasks to batches."""

    def __init__(self, consumer: Any, batches: Batches) -> None:
        self._consumer = consumer
        self.on_task_request = batches.add

    def __getattr__(self, name: str) -> Any:
        return getattr(self._consumer, name)


def _redelivered(request: GroupedRequest) -> bool:
    return bool(request.delivery_info["redelivered"])


def _accepted(batch: Sequence[GroupedRequest], pid: Any, time_accepted: float) -> None:
    for request in batch:
        request.on_accepted(pid, time_accepted)


def _ended(batch: Sequence[GroupedRequest], result: tuple[list[str], float]) -> None:
    """Note that the tasks ended; their messages were acknowledged with their work."""
    ends, runtime = result
    became = ", ".join(f"{count} {end}" for end, count in Counter(ends).items())
    _log.info("%d tasks of %s in %.3f s: %s", len(batch), batch[0].delivery_info["routing_key"], runtime, became)
    for request, end in zip(batch, ends, strict=True):
        parked = end == "parked"
        state.task_ready(request, successful=not parked)
        request.message.channel.settled([request.message.delivery_tag])
        request.acknowledged = True
        if parked:
            request.send_event("task-failed", exception="parked", traceback="")
        else:
            request.send_event("task-succeeded", result=end, runtime=runtime)


def _lost(batch: Sequence[GroupedRequest], reason: Any) -> None:
    """Put the tasks of a process that died back; each runs alone then, and one that killed it only so often."""
    _log.error("a batch of %d was cut off and is put back: %r", len(batch), reason.exception)
    for request in batch:
        state.task_ready(request)
        request.acknowledged = True
    channel = batch[0].message.channel
    try:
        channel.requeue([request.message.delivery_tag for request in batch], redelivered=True)
    except channel.connection_errors as error:
        _log.warning("it comes back by its visibility timeout: %s", type(error).__name__)
