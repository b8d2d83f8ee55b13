"""Beat's scheduler: in memory, for every schedule here is an interval, and with a sign of life for health checks."""

from pathlib import Path
from typing import Any

from celery.beat import Scheduler

from settings import settings

LONGEST_NAP = 5
"""Seconds between two ticks at the most, so that the sign of life is never older."""


class LivingScheduler(Scheduler):
    """Celery's own scheduler, which touches `HEARTBEAT_FILE` on each tick."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.max_interval = LONGEST_NAP
        file = settings().heartbeat_file
        self._heartbeat = Path(file) if file else None

    def tick(self, *args: Any, **options: Any) -> float:
        """Send what is due; return the seconds until the next tick."""
        if self._heartbeat:
            self._heartbeat.touch()
        return super().tick(*args, **options)
