"""Starts processes that never outlive this one: each in its own group, its end known to a warden before it begins."""

import atexit
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import IntEnum
from pathlib import Path

from local.errors import LocalError

# A child begins when the warden knows it; if this process dies before that, `read` fails and nothing begins.
ONCE_WATCHED = 'read -r _ && exec "$@" </dev/null'


class Order(IntEnum):
    """What ends first when everything ends."""

    SERVICE = 0
    SERVER = 1


class Warden:
    """The process that ends the others when this one is gone (`local/warden.py`); started with the first of them."""

    def __init__(self) -> None:
        self.keep_open: list[int] = []  # descriptors that it holds until the last process has ended
        self._watched: dict[int, Order] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._starting = threading.Lock()

    def watch(self, pid: int, order: Order) -> None:
        """End this process when everything ends."""
        self._watched[pid] = order
        self.ensure()
        self._tell(f"+ {order:d} {pid}")

    def forget(self, pid: int) -> None:
        """Leave it alone from now on: it has ended, and its number may soon be another's."""
        if self._watched.pop(pid, None) is not None:
            self._tell(f"- {pid}")

    def ensure(self) -> None:
        """Start the warden unless it runs; one that was killed gets a successor that knows what it knew."""
        with self._starting:
            if self._process is not None and self._process.poll() is None:
                return
            command = [sys.executable, "-IS", str(Path(__file__).with_name("warden.py")), str(os.getpid())]
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=self.keep_open,
                bufsize=0,
            )
        for pid, order in list(self._watched.items()):
            self._tell(f"+ {order:d} {pid}")

    def close(self) -> None:
        """End what is left, and wait until that is done."""
        if self._process is not None:
            self._process.communicate()
            self._process = None

    def _tell(self, line: str) -> None:
        if self._process is not None:
            assert self._process.stdin is not None
            with suppress(BrokenPipeError):  # it was killed: `ensure` starts another
                self._process.stdin.write(f"{line}\n".encode())


warden = Warden()
atexit.register(warden.close)


class Child:
    """A process of ours with its log file; can be started again after it has ended."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        cwd: Path,
        environment: Mapping[str, str] | None = None,
        order: Order = Order.SERVICE,
    ) -> None:
        self.name = name
        self.command = list(command)
        self.log = log
        self._cwd = cwd
        self._environment = environment
        self._order = order
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id, and id of its process group."""
        if self._process is None:
            raise LocalError(f"{self.name} was not started")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Tell whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Exit code of the last run, negative for a signal; None while it runs and before it was started."""
        return None if self._process is None else self._process.poll()

    def launch(self) -> None:
        """Start it; its output is appended to the log."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", ONCE_WATCHED, "sh", *self.command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._cwd,
                env=self._environment,
                start_new_session=True,
            )
        warden.watch(self._process.pid, self._order)
        assert self._process.stdin is not None
        with suppress(BrokenPipeError), self._process.stdin as begin:
            begin.write(b"\n")

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for its end; return the exit code, None if it still runs after `timeout` seconds."""
        assert self._process is not None
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout)
        return self.reap()

    def reap(self) -> int | None:
        """Return the exit code if it has ended, None if not; what it left in its group ends too."""
        assert self._process is not None
        code = self._process.poll()
        if code is not None:
            self._signal(signal.SIGKILL)
            warden.forget(self._process.pid)
        return code

    def stop(self, grace: float = 15.0) -> None:
        """Ask it to end (TERM); KILL it and its group after `grace` seconds."""
        if self.running:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)
            self.resume()  # a frozen process can't hear TERM
            if self.wait(grace) is None:
                self.kill()
        elif self._process is not None:
            self.reap()

    def kill(self) -> None:
        """SIGKILL it and its group, and wait until it is gone."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self.wait()

    def pause(self) -> None:
        """Freeze it and its group (SIGSTOP); on return it runs no more."""
        self._signal(signal.SIGSTOP)
        with suppress(ChildProcessError):  # it has ended, and was waited for
            os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Let it go on (SIGCONT)."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def log_tail(self, lines: int = 15) -> str:
        """Return the last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
