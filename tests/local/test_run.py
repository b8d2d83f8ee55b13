"""`python -m local run` in a clone of its own: from nothing to a delivered order, through a crash, to a clean end."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests

from local.processes import Child
from tests.processes import REPOSITORY, eventually

NOT_OF_THE_CLONE = (".*", "node_modules", "__pycache__", "tests", "bench")
INHERITED = ("PATH", "HOME", "LANG", "XDG_CACHE_HOME", "KAFKA_HOME")


class Clone:
    """A copy of the repository, in which commands are run as a person would."""

    def __init__(self, folder: Path) -> None:
        shutil.copytree(REPOSITORY, folder, ignore=shutil.ignore_patterns(*NOT_OF_THE_CLONE))
        self.folder = folder
        self.screen = folder.parent / "screen"
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        self.run = Child(
            "run",
            [sys.executable, "-m", "local", "run"],
            log=self.screen,
            cwd=folder,
            environment={**environment, "WORKER_CONCURRENCY": "1"},
        )

    def up(self) -> None:
        """Start all, and wait until the journey is over."""
        self.screen.write_text("")
        self.run.launch()
        eventually(lambda: self.shown("Running.") or not self.run.running, within=90)
        assert self.run.running, self.screen.read_text()

    def shown(self, text: str) -> str:
        """Return the line on the screen that has the text, empty where none has it."""
        return next((line for line in self.screen.read_text().splitlines() if text in line), "")

    def refused(self, command: str) -> list[str]:
        """Run a command that is refused; return what it says."""
        ended = subprocess.run(
            [sys.executable, "-m", "local", command], cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 2
        return (ended.stdout + ended.stderr).splitlines()

    def processes(self) -> list[psutil.Process]:
        """Return all that the last run has started and that lives, the warden included."""
        return psutil.Process(self.run.pid).children(recursive=True)

    def worker(self, queue: str) -> psutil.Process | None:
        """Return the main process of a queue's worker, None where there is none."""
        fitting = [process for process in self.processes() if f"{queue}@%h" in command_line(process)]
        return min(fitting, key=lambda process: process.create_time(), default=None)


def command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:  # it ended meanwhile
        return []


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [one for one in processes if _is_alive(one)]


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:  # it ended between the two looks
        return False


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Clone]:
    clone = Clone(tmp_path / "clone")
    yield clone
    clone.run.kill()


def test_a_run_heals_survives_its_own_crash_keeps_its_data_and_leaves_nothing(clone: Clone) -> None:
    clone.up()
    for step in ("product_events", "user_logged_in", "POST /order/create", "order_created", "user_orders"):
        assert clone.shown(step).startswith("✓")
    assert clone.shown("GET /task/").count("SUCCESS, created, total 19.98 USD") == 1
    assert [f"(process {clone.run.pid})" in line for line in clone.refused("run")] == [True]
    assert [f"(process {clone.run.pid})" in line for line in clone.refused("clean")] == [True]

    worker = clone.worker("stock")
    assert worker
    worker.kill()
    eventually(lambda: clone.shown("worker-stock ended with exit code -9; starting it again in 1 s"))
    eventually(lambda: clone.worker("stock"))

    started = clone.processes()
    assert {"redis-server", "mongod", "java"} <= {process.name() for process in started}
    clone.run.kill()
    eventually(lambda: not alive(started), within=20)

    clone.up()
    orders = requests.get(clone.shown("API").split()[1] + "/order/all", timeout=5).json()
    assert len(orders) == 2
    started = clone.processes()
    os.kill(clone.run.pid, signal.SIGINT)
    assert clone.run.wait(30) == 0
    assert alive(started) == []
    assert clone.shown("no process is left").startswith("✓")

    subprocess.run([sys.executable, "-m", "local", "clean"], cwd=clone.folder, check=True)
    assert not (clone.folder / ".local").exists()
