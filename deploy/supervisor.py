"""Runs several processes as one: starts again what dies, later each time, and stops all in order.

Fit to be process 1 of a container: it waits for signals without a handler, so none is lost, and reaps every child that
the kernel gives it, its own or not.
"""

import logging
import os
import signal
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from deploy.processes import Process

ENDINGS = (signal.SIGTERM, signal.SIGINT)
SIGNALS = (*ENDINGS, signal.SIGCHLD)

_log = logging.getLogger("order-service")


@dataclass(frozen=True)
class Policy:
    """How patient a supervisor is; times are in seconds."""

    first_delay: float = 1.0
    longest_delay: float = 30.0
    steady: float = 60.0  # a process that lived this long had started well
    deaths: int = 5  # in a row, none of them steady: then all is given up
    grace: float = 12.0  # for each stage to end after TERM; gunicorn and a worker give their own work 10 and 7


@dataclass
class Watched:
    """One process, and how it fares."""

    process: Process
    pid: int | None = None
    started: float = 0.0
    due: float = 0.0
    deaths: int = 0


class Supervisor:
    """Starts the processes of all stages at once, and stops one stage after the other."""

    def __init__(self, stages: Iterable[Sequence[Process]], policy: Policy | None = None) -> None:
        self._policy = policy or Policy()
        self._stages = [[Watched(process) for process in stage] for stage in stages]
        self._all = [watched for stage in self._stages for watched in stage]

    def run(self) -> int:
        """Work until TERM or INT, or until a process dies again and again; return the exit code, 0 or 1."""
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            return self._watch()
        finally:
            self._stop()

    def _watch(self) -> int:
        while True:
            for watched in self._all:
                if watched.pid is None and time.monotonic() >= watched.due:
                    self._start(watched)
            if self._wait_for_a_signal() in ENDINGS:
                return 0
            for watched, code in self._reap():
                if not self._another_try(watched, code):
                    return 1

    def _start(self, watched: Watched) -> None:
        process = watched.process
        # A group of its own: what a dead process leaves behind is found by it.
        watched.pid = os.posix_spawn(
            process.command[0], process.command, process.environment(), setpgroup=0, setsigmask=()
        )
        watched.started = time.monotonic()

    def _wait_for_a_signal(self, deadline: float = float("inf")) -> int | None:
        """Return the next signal, None when a process is due to be started or the deadline is reached."""
        due = min([deadline, *(watched.due for watched in self._all if watched.pid is None)])
        if due == float("inf"):
            return signal.sigwaitinfo(SIGNALS).si_signo
        received = signal.sigtimedwait(SIGNALS, max(0.0, due - time.monotonic()))
        return received.si_signo if received else None

    def _reap(self) -> list[tuple[Watched, int]]:
        """Reap all that has ended; return the watched ones with their exit codes, negative for a signal."""
        ended = []
        watched_by_pid = {watched.pid: watched for watched in self._all}
        with suppress(ChildProcessError):  # there is no child left
            # Looked at first and reaped last: until then its number can't become another's.
            while result := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                watched = watched_by_pid.get(result.si_pid)
                if watched is not None:
                    _kill_group(result.si_pid)
                _, status = os.waitpid(result.si_pid, 0)
                if watched is not None:
                    watched.pid = None
                    ended.append((watched, os.waitstatus_to_exitcode(status)))
        return ended

    def _another_try(self, watched: Watched, code: int) -> bool:
        """Say when a dead process is started again; return whether it is."""
        policy, name = self._policy, watched.process.name
        if time.monotonic() - watched.started >= policy.steady:
            watched.deaths = 0
        watched.deaths += 1
        if watched.deaths >= policy.deaths:
            _log.error("%s ended with exit code %d, the %d. time in a row: giving up", name, code, watched.deaths)
            return False
        delay = min(policy.first_delay * 2.0 ** (watched.deaths - 1), policy.longest_delay)
        watched.due = time.monotonic() + delay
        _log.error("%s ended with exit code %d; starting it again in %g s", name, code, delay)
        return True

    def _stop(self) -> None:
        for watched in self._all:
            watched.due = float("inf")
        for stage in self._stages:
            _log.info("stopping %s", ", ".join(watched.process.name for watched in stage))
            self._stop_stage(stage)

    def _stop_stage(self, stage: Sequence[Watched]) -> None:
        for watched in stage:
            if watched.pid is not None:
                os.kill(watched.pid, signal.SIGTERM)
        deadline = time.monotonic() + self._policy.grace
        while any(watched.pid for watched in stage):
            if time.monotonic() >= deadline:
                _kill_late(stage)
                deadline = float("inf")
            self._wait_for_a_signal(deadline)
            self._reap()


def _kill_late(stage: Sequence[Watched]) -> None:
    for watched in stage:
        if watched.pid is not None:
            _log.error("%s did not end in time: killing it", watched.process.name)
            _kill_group(watched.pid)


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
