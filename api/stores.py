"""How a request reaches MongoDB and Redis: within one budget for both, and without holding up the others.

Only a few requests wait for a server that hangs, so that the other threads can answer everybody else.
"""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import pymongo
import redis
from flask import g
from pymongo.collection import Collection
from pymongo.errors import AutoReconnect, PyMongoError, WaitQueueTimeoutError

from models.connections import orders, redis_client, redis_within
from models.order import OrderDocument
from settings import settings

BUDGET = 2.0
"""Seconds that one request may wait for both servers, from its first use of one."""

PATIENCE = 0.5
"""Seconds without any answer after which a server counts as hung.

Whatever hangs, a caller has an answer within 2.5 s: at the most it was queued for this long, behind requests that found
out, before its own budget began.
"""

SELECTION = 0.5
"""Seconds by which PyMongo may be late: while it looks for a server, it sees only so often that its time is up."""


class NotAskedError(Exception):
    """The server hangs and enough requests wait for it, or this one has no time left: it was asked nothing."""


class Gate:
    """Lets only so many requests at once wait for one server, and turns the others away while it answers nobody.

    While it answers, nobody is turned away before their time is up: they wait for a place, as they would in the server.
    """

    def __init__(self, name: str, places: int) -> None:
        self._name = name
        self._places = places
        self._inside = 0
        self._left_at = -math.inf
        self._unanswered_since = math.inf
        self._changed = threading.Condition()

    @contextmanager
    def passed(self, until: float) -> Iterator[None]:
        """Hold a place while the server is asked; `until` is on the monotonic clock.

        Raises
        ------
        NotAskedError
            where there is no place.

        """
        self._enter(until)
        answered = False
        try:
            yield
            answered = True
        except Exception as error:
            answered = not _is_silence(error)
            raise
        finally:
            self._leave(answered=answered)

    def _enter(self, until: float) -> None:
        with self._changed:
            while self._inside >= self._places:
                wait = min(until, self._unanswered_since + PATIENCE) - time.monotonic()
                if wait <= 0:
                    raise NotAskedError(self._name)
                self._changed.wait(wait)
            now = time.monotonic()
            if now >= until:
                raise NotAskedError(self._name)
            if not self._inside and now - self._left_at > BUDGET:
                self._unanswered_since = math.inf  # nobody has asked for long: that silence says nothing
            self._unanswered_since = min(self._unanswered_since, now)
            self._inside += 1

    def _leave(self, *, answered: bool) -> None:
        with self._changed:
            self._inside -= 1
            self._left_at = time.monotonic()
            if answered:
                self._unanswered_since = self._left_at if self._inside else math.inf
            self._changed.notify()


@contextmanager
def order_store(at_most: float = BUDGET) -> Iterator["Collection[OrderDocument]"]:
    """Have MongoDB's orders for what is left of this request's budget, at the most so many seconds of it."""
    now = time.monotonic()
    with order_store_until(min(_budget_ends(now) - SELECTION, now + at_most)) as found:
        yield found


@contextmanager
def order_store_until(until: float) -> Iterator["Collection[OrderDocument]"]:
    """Have MongoDB's orders until then, on the monotonic clock: a budget that is no request's of Flask's."""
    with _gate("MongoDB").passed(until), pymongo.timeout(until - time.monotonic()):
        yield orders(BUDGET)


@contextmanager
def task_store(at_most: float = BUDGET) -> Iterator["redis.Redis"]:
    """Have Redis for what is left of this request's budget, at the most so many seconds of it."""
    now = time.monotonic()
    until = min(_budget_ends(now), now + at_most)
    with _gate("Redis").passed(until), redis_within(until - time.monotonic()):
        yield redis_client(BUDGET)


def _budget_ends(now: float) -> float:
    if "budget_ends" not in g:
        g.budget_ends = now + BUDGET
    return float(g.budget_ends)


@cache
def _gate(server: str) -> Gate:
    # With both servers hung, some threads must still be free.
    return Gate(server, max(1, settings().api_threads * 3 // 8))


def _is_silence(error: Exception) -> bool:
    """Tell whether a server did not answer; an error that it answered with is an answer."""
    if isinstance(error, PyMongoError):
        return error.timeout or isinstance(error, (AutoReconnect, WaitQueueTimeoutError))
    return isinstance(error, (redis.ConnectionError, redis.TimeoutError))
