"""Users whose orders are to be published: what is asked for together is enqueued together, from the event loop."""

import asyncio
import logging

import redis
import redis.asyncio

from models.connections import new_async_redis_client
from models.ids import new_id
from tasks.enqueue import enqueue_soon, user_orders_job

PUBLISH_TIMEOUT = 1.0
"""Seconds that a reader of a user's orders waits at the most until their publishing is enqueued."""

_log = logging.getLogger(__name__)


class Publishing:
    """What one event loop has to enqueue."""

    def __init__(self) -> None:
        self._client: redis.asyncio.Redis | None = None
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []
        self._sending: asyncio.Task[None] | None = None

    async def ask(self, user_id: str, seconds: float) -> None:
        """Have a user's orders published; return when that is enqueued, or could not be in time: then it is logged."""
        loop = asyncio.get_running_loop()
        enqueued: asyncio.Future[None] = loop.create_future()
        self._waiting.append((user_id, enqueued))
        if self._sending is None:
            self._sending = loop.create_task(self._send_all())
        try:
            async with asyncio.timeout(seconds):
                await enqueued
        except (redis.RedisError, TimeoutError) as error:
            not_published(error)

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                asked, self._waiting = self._waiting, []
                if heeded := [each for each in asked if not each[1].done()]:  # the others don't wait any more
                    await self._send(heeded)
        finally:
            self._sending = None

    async def _send(self, asked: "list[tuple[str, asyncio.Future[None]]]") -> None:
        error: Exception | None = None
        try:
            async with asyncio.timeout(PUBLISH_TIMEOUT):
                jobs = [user_orders_job(user_id, "request", new_id()) for user_id, _ in asked]
                await enqueue_soon(self._redis(), jobs)
        except Exception as raised:
            error = raised
        for _, enqueued in asked:
            if not enqueued.done() and error is None:
                enqueued.set_result(None)
            elif not enqueued.done() and error is not None:
                enqueued.set_exception(error)

    def _redis(self) -> "redis.asyncio.Redis":
        if self._client is None:
            self._client = new_async_redis_client(PUBLISH_TIMEOUT)
        return self._client


def not_published(error: Exception) -> None:
    """Say that a user's orders were not published, for a reader is answered all the same."""
    _log.warning("user_orders is not published: %s", type(error).__name__)
