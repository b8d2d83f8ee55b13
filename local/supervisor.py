"""Starts again what dies, later each time, and says so; stops everything in order."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from local.errors import LocalError
from local.processes import warden

FIRST_DELAY, LONGEST_DELAY = 1.0, 30.0
STEADY_SECONDS = 60.0
LOOK_EVERY = 0.2


class Process(Protocol):
    """What is watched: a server or a process of the service."""

    @property
    def name(self) -> str:
        """What it is called in messages."""
        ...

    @property
    def log(self) -> Path:
        """Where its output goes."""
        ...

    def log_tail(self) -> str:
        """Return the log's last lines."""
        ...

    def launch(self) -> None:
        """Start it without waiting."""
        ...

    def reap(self) -> int | None:
        """Return the exit code if it has ended, None while it runs."""
        ...


@dataclass
class Watched:
    """One process and how it fared."""

    process: Process
    launched: float
    failures: int = 0
    again_at: float | None = None

    def delay(self) -> float:
        """Seconds until the next start: doubled with each failure in a row."""
        return min(FIRST_DELAY * 2.0 ** (self.failures - 1), LONGEST_DELAY)


class Supervisor:
    """Looks after processes in a thread of its own until it is told to leave them."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._watched: list[Watched] = []
        self._leave = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def watch(self, process: Process) -> None:
        """Look after a process that was just launched."""
        self._watched.append(Watched(process, time.monotonic()))

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def leave(self) -> None:
        """Start nothing from now on."""
        self._leave.set()
        if self._thread.is_alive():
            self._thread.join()

    def failing(self, times: int) -> Sequence[Process]:
        """Return the processes that died at least this often in a row."""
        return [watched.process for watched in self._watched if watched.failures >= times]

    def _run(self) -> None:
        while not self._leave.wait(LOOK_EVERY):
            warden.ensure()
            for watched in self._watched:
                self._look(watched, time.monotonic())

    def _look(self, watched: Watched, now: float) -> None:
        if watched.again_at is None:
            code = watched.process.reap()
            if code is not None:
                self._failed(watched, now, f"ended with exit code {code}")
        elif now >= watched.again_at:
            watched.launched, watched.again_at = now, None
            try:
                watched.process.launch()
            except (LocalError, OSError) as error:
                self._failed(watched, now, f"did not start: {error}")

    def _failed(self, watched: Watched, now: float, how: str) -> None:
        if now - watched.launched > STEADY_SECONDS:
            watched.failures = 0
        watched.failures += 1
        watched.again_at = now + watched.delay()
        process = watched.process
        self._say(f"{process.name} {how}; starting it again in {watched.delay():.0f} s; its log: {process.log}")
