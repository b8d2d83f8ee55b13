"""Creates that come together are accepted together: while one command is on its way to Redis, the next one gathers.

No thread waits for Redis, so a Redis that hangs holds up nobody but who needs it. Where workers are behind, the next
command gathers a little longer: what is accepted sooner would only wait for them longer, and the processor's time that
it takes is theirs.
"""

import asyncio
import time
from collections import deque

import redis
import redis.asyncio

from api.stores import BUDGET, NotAskedError
from models.connections import new_async_redis_client
from tasks.accept import Answer, Submission, accept_together

MOST = 100
"""Writes in one command at the most: the script takes 10 to 20 µs for each, and nobody else is served meanwhile."""

LEAST = 0.5
"""Seconds of a write's budget without which Redis is not asked for it: rather surely not accepted than perhaps."""

UNHURRIED = 100
"""Messages that wait in `orders` or are in workers' hands, of whatever queue, up to which no command waits: about one
batch of a busy worker."""

CATCH_UP = 10_000
"""Writes a second by which what is above that is turned into a pause: more than workers do on any one machine."""

LONGEST_PAUSE = 0.015
"""Seconds; a longer one would leave workers idle."""

FAR_BEHIND = 2_000
"""Messages from which no command waits again: workers are away, or more is asked than they can do at all."""

Asked = tuple[Submission, "asyncio.Future[Answer]", float]
"""A submission, its answer, and when it came (on the monotonic clock)."""


def pause(unfinished: int) -> float:
    """Return the seconds for which the next command gathers, with so many messages not ended."""
    if unfinished >= FAR_BEHIND:
        return 0
    return min(LONGEST_PAUSE, max(0, unfinished - UNHURRIED) / CATCH_UP)


class Together:
    """The creates of one event loop that wait to be accepted."""

    def __init__(self) -> None:
        self._client: redis.asyncio.Redis | None = None
        self._waiting: deque[Asked] = deque()
        self._sending: asyncio.Task[None] | None = None

    def accept(self, submission: Submission) -> "asyncio.Future[Answer]":
        """Have a write accepted, and return what its answer comes by.

        It may be `NotAskedError`, where Redis has not answered others for so long that there is no time left: nothing
        was accepted. After `redis.RedisError` and `TimeoutError` it is unknown whether the write was.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((submission, answer, time.monotonic()))
        if self._sending is None:
            # A task begins in the loop's next turn, with all that this turn has brought.
            self._sending = loop.create_task(self._send_all())
        return answer

    async def _send_all(self) -> None:
        """Send what waits, one command after the other, until nothing waits."""
        try:
            while self._waiting:
                if batch := self._next():
                    await asyncio.sleep(pause(await self._send(batch)))
        finally:
            self._sending = None

    def _next(self) -> list[Asked]:
        """Return what is sent together, the oldest first, less those that have no time left."""
        latest = time.monotonic() - (BUDGET - LEAST)
        batch: list[Asked] = []
        while self._waiting and len(batch) < MOST:
            asked = self._waiting.popleft()
            _, answer, came = asked
            if came < latest:
                answer.set_exception(NotAskedError("Redis"))
            else:
                batch.append(asked)
        return batch

    async def _send(self, batch: list[Asked]) -> int:
        """Answer these; return how many messages are not ended then, 0 where that is not known."""
        try:
            async with asyncio.timeout(batch[0][2] + BUDGET - time.monotonic()):
                unfinished, answers = await accept_together(self._redis(), [submission for submission, _, _ in batch])
        except Exception as error:
            for _, answer, _ in batch:
                answer.set_exception(error)
            return 0
        for (_, answer, _), told in zip(batch, answers, strict=True):
            answer.set_result(told)
        return unfinished

    def _redis(self) -> "redis.asyncio.Redis":
        if self._client is None:
            self._client = new_async_redis_client(BUDGET)
        return self._client
