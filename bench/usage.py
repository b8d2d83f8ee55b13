"""What processes use, by part of the service: CPU seconds and memory, of each with all its children."""

import re
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress

import psutil

_PARTS = (
    (r"gunicorn ", "api"),
    (r"celery .*worker .*-Q (\w+)", r"worker: \1"),
    (r"celery .*worker", "worker"),
    (r"celery .*beat", "beat"),
    (r"python -m bridge", "bridge"),
    (r"python -m (\w+\.)?consumer", "consumer"),
)


def part(command: str) -> str:
    """Return what a process is called in tables and plots, by the command that starts it."""
    for pattern, name in _PARTS:
        if found := re.search(pattern, command):
            return found.expand(name)
    return "service"


def cpu_seconds(roots: Mapping[str, int]) -> Counter[str]:
    """Return the CPU seconds used so far by each part, given its first process; ended children count too."""
    return Counter({name: sum(map(_cpu, _tree(pid))) for name, pid in roots.items()})


def memory_bytes(roots: Mapping[str, int]) -> Counter[str]:
    """Return the resident memory of each part; pages that its processes share count once (PSS)."""
    return Counter({name: sum(map(_resident, _tree(pid))) for name, pid in roots.items()})


def wait_until_idle(roots: Mapping[str, int], within: float = 30.0) -> None:
    """Wait until the processes use less than a twentieth of a core; go on after `within` seconds in any case."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        before, began = cpu_seconds(roots), time.monotonic()
        time.sleep(0.5)
        if (cpu_seconds(roots).total() - before.total()) / (time.monotonic() - began) < 0.05:
            return


def _tree(pid: int) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    return []


def _cpu(process: psutil.Process) -> float:
    with suppress(psutil.NoSuchProcess):
        return sum(process.cpu_times()[:4])
    return 0.0


def _resident(process: psutil.Process) -> int:
    with suppress(psutil.NoSuchProcess):
        return int(process.memory_full_info().pss)
    return 0
