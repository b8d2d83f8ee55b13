"""Ends a stack's processes when the process that started them is gone, however it went; runs as a process of its own.

Started with the process id of its parent as argument; `local.processes` writes to its standard input `+ <order> <pid>`
for each process that it starts and `- <pid>` for each that has ended. When the parent dies (or closes the pipe) what
is left is ended: lower orders first, TERM, and KILL for the whole process group of each that does not end in time.
PR_SET_PDEATHSIG would not do: it is tied to the thread that forked, and grandchildren do not inherit it.
"""

import os
import select
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress

GRACE = {0: 3.0, 1: 10.0}
LOOK_EVERY = 0.5


def main() -> None:
    """Wait for the parent's end, then end what it left."""
    for left in by_order(listen(parent=int(sys.argv[1]))):
        end(left)


def listen(parent: int) -> dict[int, int]:
    """Keep the list of processes until the parent is gone; return those that are left, each with its order."""
    watched: dict[int, int] = {}
    unread = b""
    while True:
        # The parent's own forks may hold the pipe open after its death: also look whose child this process is.
        ready, _, _ = select.select([0], [], [], LOOK_EVERY)
        chunk = os.read(0, 65536) if ready else b""
        *lines, unread = (unread + chunk).split(b"\n")
        for line in lines:
            note(line.decode().split(), watched)
        if (ready and not chunk) or (not ready and os.getppid() != parent):
            return watched


def note(words: list[str], watched: dict[int, int]) -> None:
    """Apply one line from the parent."""
    if words[0] == "+":
        watched[int(words[2])] = int(words[1])
    else:
        watched.pop(int(words[1]), None)


def by_order(watched: dict[int, int]) -> list[tuple[float, list[int]]]:
    """Return the process ids in the order in which to end them, with the seconds that each lot gets."""
    return [
        (GRACE.get(order, 3.0), [pid for pid in watched if watched[pid] == order])
        for order in sorted(set(watched.values()))
    ]


def end(left: tuple[float, list[int]]) -> None:
    """End these processes and their groups."""
    grace, pids = left
    for pid in pids:
        send(os.kill, pid, signal.SIGTERM)
        send(os.killpg, pid, signal.SIGCONT)  # a frozen one can't hear TERM
    deadline = time.monotonic() + grace
    while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in pids:
        send(os.killpg, pid, signal.SIGKILL)


def send(kill: Callable[[int, int], None], pid: int, number: int) -> None:
    """Send a signal to what may be gone already."""
    with suppress(ProcessLookupError, PermissionError):
        kill(pid, number)


def alive(pid: int) -> bool:
    """Tell whether the process runs; one that only waits to be reaped does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


if __name__ == "__main__":
    main()
