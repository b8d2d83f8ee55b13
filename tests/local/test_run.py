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

from tests.processes import REPOSITORY, eventually

NOT_OF_THE_CLONE = (".*", "node_modules", "__pycache__", "tests", "bench")
INHERITED = ("PATH", "HOME", "LANG", "XDG_CACHE_HOME", "KAFKA_HOME")


class Clone:
    """A copy of the repository, in which commands are run as a person would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.screen = folder.parent / "screen"
        self.runs: list[subprocess.Popen[str]] = []
        shutil.copytree(REPOSITORY, folder, ignore=shutil.ignore_patterns(*NOT_OF_THE_CLONE))

    def start(self, command: str) -> "subprocess.Popen[str]":
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        with self.screen.open("w") as screen:
            run = subprocess.Popen(
                [sys.executable, "-m", "local", command],
                cwd=self.folder,
                env={**environment, "WORKER_CONCURRENCY": "1"},
                stdout=screen,
                stderr=subprocess.STDOUT,
                text=True,
            )
        self.runs.append(run)
        return run

    def shown(self, text: str) -> str:
        """Return the line on the screen that has the text, empty where none has it."""
        return next((line for line in self.screen.read_text().splitlines() if text in line), "")

    def up(self) -> "subprocess.Popen[str]":
        """Start all, and wait until the journey is over."""
        running = self.start("run")
        eventually(lambda: self.shown("Running.") or running.poll() is not None, within=90)
        assert running.poll() is None, self.screen.read_text()
        return running

    def refused(self, command: str) -> list[str]:
        """Run a command that is refused; return what it says."""
        ended = subprocess.run(
            [sys.executable, "-m", "local", command], cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 2
        return (ended.stdout + ended.stderr).splitlines()

    def processes(self) -> list[psutil.Process]:
        """Return all that the last run has started and that lives, the warden included."""
        return psutil.Process(self.runs[-1].pid).children(recursive=True)

    def worker(self, queue: str) -> psutil.Process | None:
        """Return the main process of a queue's worker, None where there is none."""
        fitting = [process for process in self.processes() if f"{queue}@%h" in process.cmdline()]
        return min(fitting, key=lambda process: process.create_time(), default=None)


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Clone]:
    clone = Clone(tmp_path / "clone")
    yield clone
    for run in clone.runs:
        run.kill()
        run.wait()


def test_a_run_heals_survives_its_own_crash_keeps_its_data_and_leaves_nothing(clone: Clone) -> None:
    running = clone.up()
    for step in ("product_events", "user_logged_in", "POST /order/create", "order_created", "user_orders"):
        assert clone.shown(step).startswith("✓")
    assert clone.shown("GET /task/").count("SUCCESS, created, total 19.98 USD") == 1
    assert [f"(process {running.pid})" in line for line in clone.refused("run")] == [True]
    assert [f"(process {running.pid})" in line for line in clone.refused("clean")] == [True]

    worker = clone.worker("stock")
    assert worker
    worker.kill()
    eventually(lambda: clone.shown("worker-stock ended with exit code -9; starting it again in 1 s"))
    eventually(lambda: clone.worker("stock"))

    started = clone.processes()
    assert {"redis-server", "mongod", "java"} <= {process.name() for process in started}
    running.kill()
    running.wait()
    eventually(lambda: not alive(started), within=20)

    running = clone.up()
    orders = requests.get(clone.shown("API").split()[1] + "/order/all", timeout=5).json()
    assert len(orders) == 2
    started = clone.processes()
    running.send_signal(signal.SIGINT)
    assert running.wait(30) == 0
    assert alive(started) == []
    assert clone.shown("no process is left").startswith("✓")

    subprocess.run([sys.executable, "-m", "local", "clean"], cwd=clone.folder, check=True)
    assert not (clone.folder / ".local").exists()
