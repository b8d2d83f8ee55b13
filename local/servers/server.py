"""What the three servers have in common: a folder, a port, and a start that returns when the server answers."""

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from local.downloads import Download, ensure
from local.errors import LocalError
from local.ports import free_port
from local.processes import Child, Order


class Server(ABC):
    """A server with its data, configuration and log in one folder. It dies when the process that started it does."""

    name: str
    start_seconds = 60.0
    stop_seconds = 20.0

    def __init__(self, directory: Path, port: int | None = None, *, log: Path | None = None) -> None:
        """Nothing is started or written yet; without a port a free one is taken, and kept across restarts."""
        self.directory = directory.resolve()
        self.port = port or free_port()
        self.log = log or self.directory / f"{self.name}.log"
        self._child: Child | None = None
        self._installed = False

    @abstractmethod
    def downloads(self) -> Sequence[Download]:
        """Return what this machine lacks and the cache must hold."""

    @abstractmethod
    def _command(self) -> Sequence[str]:
        """Write the configuration, return how to run the program; all of `downloads` is there."""

    def _environment(self) -> Mapping[str, str]:
        return os.environ

    @abstractmethod
    def _answers(self) -> bool:
        """Tell whether the server does its work; called until it does. Raises nothing for one that is not up yet."""

    @property
    def process(self) -> Child:
        """The running or last process."""
        if self._child is None:
            raise LocalError(f"{self.name} was not started")
        return self._child

    @property
    def running(self) -> bool:
        """Tell whether it was started and has not ended."""
        return self._child is not None and self._child.running

    @property
    def pid(self) -> int:
        """Process id."""
        return self.process.pid

    def start(self) -> None:
        """Start it on whatever data is there, and return when it answers."""
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Start it without waiting."""
        if not self._installed:
            ensure(self.downloads())
            self._installed = True
        self.directory.mkdir(parents=True, exist_ok=True)
        self._child = Child(
            self.name,
            self._command(),
            log=self.log,
            cwd=self.directory,
            environment=self._environment(),
            order=Order.SERVER,
        )
        self._child.launch()

    def wait_until_ready(self) -> None:
        """Wait until it answers; if it ends or does not within `start_seconds`, stop it and show its log's tail."""
        deadline = time.monotonic() + self.start_seconds
        while not self._answers():
            code = self.reap()
            if code is not None:
                raise self._failure(f"ended with exit code {code}")
            if time.monotonic() > deadline:
                self.process.kill()
                raise self._failure(f"did not answer within {self.start_seconds:.0f} s")
            time.sleep(0.05)

    def _failure(self, what: str) -> LocalError:
        return LocalError(f"{self.name} on port {self.port} {what}; {self.log} ends with:\n{self.log_tail()}")

    def reap(self) -> int | None:
        """Return the exit code if it has ended, None while it runs."""
        return self.process.reap()

    def log_tail(self) -> str:
        """Return the log's last lines."""
        return self.process.log_tail()

    def stop(self) -> None:
        """Let it end in its own order (TERM), or by KILL after `stop_seconds`."""
        if self._child is not None:
            self._child.stop(self.stop_seconds)

    def kill(self) -> None:
        """SIGKILL it; `start` brings it back on the same data and port."""
        if self._child is not None:
            self._child.kill()

    def restart(self) -> None:
        """Stop it if it runs, and start it again."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze it: it keeps its connections and answers nobody."""
        self.process.pause()

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self.process.resume()
