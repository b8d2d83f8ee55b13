"""When the supervisor starts again, gives up and kills; with small processes of a shell instead of the service's."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from local.processes import Child
from tests.processes import REPOSITORY, eventually

# The processes come as arguments: stages divided by `then`, each process one line of shell.
PROGRAM = """
import logging, sys
from deploy.processes import Process
from deploy.supervisor import Policy, Supervisor
logging.basicConfig(level="INFO", format="%(message)s")
stages = [[]]
for number, word in enumerate(sys.argv[1:]):
    if word == "then":
        stages.append([])
    else:
        stages[-1].append(Process(f"p{number}", ("/bin/sh", "-c", word)))
policy = Policy(first_delay=0.05, longest_delay=0.1, steady=1.0, deaths=4, grace=1.0)
sys.exit(Supervisor(stages, policy).run())
"""
UNTIL_TERM = "trap 'exit 0' TERM; while :; do sleep 0.05; done"
Start = Callable[..., Child]


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Start]:
    started: list[Child] = []

    def start(*words: str) -> Child:
        environment = {"PATH": os.environ["PATH"], "HEARTBEAT_FILE": str(tmp_path / "heartbeat")}
        command = [sys.executable, "-c", PROGRAM, *words]
        child = Child("supervisor", command, log=tmp_path / "log", cwd=REPOSITORY, environment=environment)
        child.launch()
        started.append(child)
        return child

    yield start
    for child in started:
        child.stop()


def test_a_process_that_dies_again_and_again_ends_all_with_code_1(supervise: Start) -> None:
    child = supervise(UNTIL_TERM, "exit 3")

    assert child.wait(timeout=10) == 1
    log = child.log.read_text()
    assert re.findall(r"p1 ended with exit code 3; starting it again in ([\d.]+) s", log) == ["0.05", "0.1", "0.1"]
    assert "p1 ended with exit code 3, the 4. time in a row: giving up" in log
    assert "stopping p0, p1" in log


def test_a_process_that_had_lived_for_long_is_started_again_for_ever(supervise: Start) -> None:
    child = supervise("sleep 1.1; exit 3")

    eventually(lambda: child.log.read_text().count("starting it again in 0.05 s") >= 4)
    assert child.running


def test_a_process_that_ends_with_code_0_is_missed_too(supervise: Start) -> None:
    child = supervise("exit 0")

    assert child.wait(timeout=10) == 1


def test_a_deaf_process_is_killed_with_all_that_it_started(supervise: Start) -> None:
    child = supervise("trap '' TERM; sleep 1000 & sleep 1000", UNTIL_TERM)
    left = eventually(lambda: _grandchildren(child, at_least=2))
    _wait_for_traps(child)

    os.kill(child.pid, 15)

    assert child.wait(timeout=10) == 0
    assert "p0 did not end in time: killing it" in child.log.read_text()
    assert "p1 did not end in time" not in child.log.read_text()
    eventually(lambda: not any(process.is_running() for process in left))


def test_what_a_dead_process_left_is_gone_before_it_is_started_again(supervise: Start) -> None:
    child = supervise("sleep 1000 & echo left $!; kill -9 $$")

    assert child.wait(timeout=10) == 1
    left = [int(pid) for pid in re.findall(r"left (\d+)", child.log.read_text())]
    assert len(left) == 4
    eventually(lambda: not any(psutil.pid_exists(pid) for pid in left))


@pytest.mark.parametrize("number", [2, 15], ids=["INT", "TERM"])
def test_the_first_stage_has_ended_before_the_second_is_told(supervise: Start, number: int) -> None:
    slow = "trap 'sleep 0.3; echo first ended; exit 0' TERM; while :; do sleep 0.05; done"
    child = supervise(slow, "then", "trap 'echo second told; exit 0' TERM; while :; do sleep 0.05; done")
    _wait_for_traps(child)

    os.kill(child.pid, number)

    assert child.wait(timeout=10) == 0
    log = child.log.read_text()
    assert log.index("first ended") < log.index("stopping p2") < log.index("second told")


def test_a_process_is_not_healthy_before_its_first_heartbeat(supervise: Start, tmp_path: Path) -> None:
    heartbeat = tmp_path / "heartbeat.p0"
    supervise(f"sleep 2; touch {heartbeat}; sleep 1000")
    eventually(heartbeat.exists)

    health = [sys.executable, "-m", "deploy.health"]
    environment = {"PATH": os.environ["PATH"], "HEARTBEAT_FILE": str(tmp_path / "heartbeat")}
    codes: list[int] = []

    def checked() -> int:
        codes.append(subprocess.run(health, cwd=REPOSITORY, env=environment, check=False).returncode)
        return codes[-1]

    eventually(lambda: checked() == 0)
    assert codes[0] == 1


def _grandchildren(child: Child, at_least: int) -> list[psutil.Process]:
    children = psutil.Process(child.pid).children(recursive=True)
    found = [process for process in children if process.cmdline() == ["sleep", "1000"]]
    return found if len(found) >= at_least else []


def _wait_for_traps(child: Child) -> None:
    """Wait until each shell has run past its trap: it has a `sleep` then."""
    eventually(
        lambda: (
            all(shell.children() for shell in psutil.Process(child.pid).children())
            and psutil.Process(child.pid).children()
        )
    )
