"""Tasks whose message is kept when they fail: what Kafka told must not be lost by an error of ours."""

from typing import Any

from models.connections import redis_client
from tasks.orders import DiscreetRequest, DiscreetTask
from tasks.parked import set_aside

SERVER_TIMEOUT = 5.0
"""Seconds to wait for Redis; the worker's main loop stands still meanwhile."""


class KeptRequest(DiscreetRequest):
    """A request whose message an operator gets, where Celery would delete it."""

    def reject(self, requeue: bool = False) -> Any:
        """Park the message before it is rejected for good."""
        if not requeue and not self.acknowledged:
            reason = "its task failed: the worker's log says why"
            set_aside(redis_client(SERVER_TIMEOUT), self.message.delivery_tag, reason)
        return super().reject(requeue)


class KeptTask(DiscreetTask):
    """A task that nobody would ask for again."""

    Request = "tasks.kept:KeptRequest"
    # A task that failed is rejected then, which is where its message is parked.
    acks_on_failure_or_timeout = False
