"""Signs of life for health checks: a worker and beat touch `HEARTBEAT_FILE` while they work.

A worker's come from its main loop, every 2 s, and only while it is connected to the broker: the same as an answer to
`celery inspect ping`, without starting Celery and opening connections for every question.
"""

from pathlib import Path
from typing import Any

from celery.beat import Scheduler, SchedulingError
from celery.signals import heartbeat_sent

from settings import settings


def touch() -> None:
    """Touch the file, where one is set."""
    path = settings().heartbeat_file
    if path is not None:
        Path(path).touch()


@heartbeat_sent.connect
def _worker_works(**_: Any) -> None:
    touch()


class LivingScheduler(Scheduler):
    """Celery's own scheduler, in memory: every schedule here is an interval."""

    max_interval = 5
    """Longest sleep between two looks at what is due, in seconds; the default is five minutes."""

    def apply_async(self, *arguments: Any, **named: Any) -> Any:
        """Send a task; where that fails, send the next one over a new connection.

        A producer of kombu 5.7.0 that has lost its connection while it declared its queue never finds another one: each
        later task fails with an AttributeError, and beat is as good as dead.
        """
        try:
            return super().apply_async(*arguments, **named)
        except SchedulingError:
            for name in ("producer", "connection"):
                self.__dict__.pop(name, None)
            raise

    def tick(self, *arguments: Any, **named: Any) -> float:
        """Send what is due; return the seconds until the next look."""
        seconds = super().tick(*arguments, **named)
        touch()
        return seconds
