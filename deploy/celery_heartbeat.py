"""Touches HEARTBEAT_FILE while a worker or beat works; loaded by their command lines (`processes.py`).

A worker's beats come from its main loop, every 2 s, and only while it is connected to the broker: the same as an answer
to `celery inspect ping`, without starting Celery and opening connections for every question.
"""

from pathlib import Path
from typing import Any

from celery.beat import Scheduler
from celery.signals import heartbeat_sent

from settings import settings


def _touch() -> None:
    path = settings().heartbeat_file
    if path is not None:
        Path(path).touch()


@heartbeat_sent.connect
def _worker_works(**_: Any) -> None:
    _touch()


class BeatingScheduler(Scheduler):
    """Celery's scheduler, which shows each time that it has looked what is due."""

    max_interval = 5
    """Longest sleep between two looks, in seconds; the default is five minutes."""

    def tick(self, *arguments: Any, **named: Any) -> float:
        """Send what is due; return the seconds until the next look."""
        seconds: float = super().tick(*arguments, **named)
        _touch()
        return seconds
