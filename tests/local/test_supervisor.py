"""What dies is started again, later each time, and said."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.processes import Child
from local.supervisor import Supervisor
from tests.processes import eventually


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(said: list[str]) -> Iterator[Supervisor]:
    supervisor = Supervisor(said.append)
    yield supervisor
    supervisor.leave()


def test_a_process_that_keeps_dying_is_started_again_after_1_2_and_4_seconds(
    supervisor: Supervisor, said: list[str], tmp_path: Path
) -> None:
    dying = Child("dying", ["sh", "-c", "date +%s.%N; exit 3"], log=tmp_path / "log", cwd=tmp_path)
    dying.launch()
    supervisor.watch(dying)
    supervisor.start()
    eventually(lambda: len(said) == 3)
    assert said == [
        f"dying ended with exit code 3; starting it again in {delay} s; its log: {dying.log}" for delay in (1, 2, 4)
    ]
    first, second, third = (float(line) for line in dying.log.read_text().split())
    assert second - first >= 1
    assert third - second >= 2
    assert supervisor.failing(3) == [dying]


def test_a_killed_process_comes_back_and_a_living_one_is_left_alone(
    supervisor: Supervisor, said: list[str], tmp_path: Path
) -> None:
    killed, living = (
        Child(name, ["sleep", "1000"], log=tmp_path / name, cwd=tmp_path) for name in ("killed", "living")
    )
    for child in (killed, living):
        child.launch()
        supervisor.watch(child)
    before = killed.pid, living.pid
    supervisor.start()
    killed.kill()
    eventually(lambda: killed.running and killed.pid != before[0])
    assert living.pid == before[1]
    assert len(said) == 1
    assert re.match("killed ended with exit code -9; starting it again in 1 s", said[0])
    supervisor.leave()
    killed.stop()
    living.stop()


def test_what_a_dead_process_leaves_behind_ends_before_it_is_started_again(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    script = "sleep 1000 & echo $!; sleep 1000"
    parent = Child("parent", ["sh", "-c", script], log=tmp_path / "log", cwd=tmp_path)
    parent.launch()
    supervisor.watch(parent)
    supervisor.start()
    orphan = eventually(lambda: parent.log.read_text().split())[0]

    os.kill(parent.pid, signal.SIGKILL)
    eventually(lambda: not Path(f"/proc/{orphan}").exists())
    supervisor.leave()
    parent.kill()
