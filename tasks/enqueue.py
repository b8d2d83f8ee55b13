"""How tasks that are no order writes are enqueued: many at once, in one command per queue."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import redis
import redis.asyncio

from tasks.envelope import envelope


@dataclass(frozen=True, slots=True)
class Job:
    """A task to enqueue. `subject` is what operators see of it: an id, never what it holds."""

    task: str
    task_id: str
    queue: str
    kwargs: dict[str, Any]
    subject: str


def enqueue(client: "redis.Redis", jobs: Iterable[Job]) -> None:
    """Enqueue the jobs, all of them or (where this raises) possibly all: their tasks are safe to run twice."""
    messages = _messages(jobs)
    with client.pipeline(transaction=len(messages) > 1) as pipeline:  # one command is whole by itself
        for queue, batch in messages.items():
            pipeline.lpush(queue, *batch)
        pipeline.execute()


async def enqueue_soon(client: "redis.asyncio.Redis", jobs: Iterable[Job]) -> None:
    """Do the same from an event loop."""
    messages = _messages(jobs)
    async with client.pipeline(transaction=len(messages) > 1) as pipeline:
        for queue, batch in messages.items():
            pipeline.lpush(queue, *batch)
        await pipeline.execute()


def _messages(jobs: Iterable[Job]) -> dict[str, list[str]]:
    messages: dict[str, list[str]] = defaultdict(list)
    for job in jobs:
        messages[job.queue].append(envelope(job.task, job.task_id, job.kwargs, job.queue, subject=job.subject))
    return messages


def user_orders_job(user_id: str, reason: str, task_id: str) -> Job:
    """Return the task that publishes a user's orders, because of a `login` or a `request`."""
    return Job("publish_user_orders", task_id, "publish", {"user_id": user_id, "reason": reason}, user_id)
