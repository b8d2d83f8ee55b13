"""One stack at a time in a clone, also while an earlier one is still being ended."""

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from local import leftovers
from local.errors import RefusedError
from local.processes import Child
from local.servers import RedisServer
from local.state import State
from tests.processes import REPOSITORY, eventually

HOLD = "import sys, pathlib; from local.state import State; "
HOLD += "lock = State(pathlib.Path(sys.argv[1])).lock(); print('held', flush=True); sys.stdin.read()"


def test_a_second_stack_is_refused_while_the_first_lives_and_not_after_its_kill(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        with pytest.raises(RefusedError, match=rf"already runs in this clone \(process {first.pid}\)"):
            State(tmp_path).lock()
        with pytest.raises(RefusedError):
            State(tmp_path).remove()
        first.kill()
    State(tmp_path).lock().close()


def test_a_start_waits_while_what_a_killed_run_left_is_being_ended(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    with (tmp_path / "lock").open("a+") as wardens:
        fcntl.flock(wardens, fcntl.LOCK_EX)
        wardens.write(str(gone.pid))
        wardens.flush()
        start = threading.Thread(target=lambda: State(tmp_path).lock().close())
        start.start()
        start.join(0.5)
        assert start.is_alive()
        fcntl.flock(wardens, fcntl.LOCK_UN)
        start.join(5)
        assert not start.is_alive()
    assert (tmp_path / "lock").read_text() == str(os.getpid())


HOLD_AND_START = """
import sys
from pathlib import Path
from local.processes import Child, warden
from local.state import State
folder = Path(sys.argv[1])
lock = State(folder).lock()
warden.keep_open.append(lock.fileno())
trap = "trap 'sleep 1; exit' TERM; echo up; sleep 1000 & wait"
slow = Child("slow", ["sh", "-c", trap], log=folder / "log", cwd=folder)
slow.launch()
print(slow.pid, flush=True)
sys.stdin.read()
"""


def test_the_warden_of_a_killed_run_keeps_the_lock_until_all_has_ended(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD_AND_START, str(tmp_path)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        slow = psutil.Process(int(first.stdout.readline()))
        eventually((tmp_path / "log").read_text)
        first.kill()
    State(tmp_path).lock().close()
    assert not slow.is_running() or slow.status() == psutil.STATUS_ZOMBIE


def test_a_redis_whose_warden_was_killed_too_is_found_though_it_overwrites_its_environment(tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "redis-server")
    server.start()
    assert leftovers.end(tmp_path / "another") == 0
    assert leftovers.end(tmp_path) == 1
    assert not server.running


def test_processes_whose_warden_was_killed_too_are_found_by_their_mark(tmp_path: Path) -> None:
    environment = {**os.environ, leftovers.MARK: str(tmp_path)}
    left, other = (
        Child(name, ["sleep", "1000"], log=tmp_path / name, cwd=tmp_path, environment=environment | more)
        for name, more in (("left", {}), ("other", {leftovers.MARK: "another clone"}))
    )
    left.launch()
    other.launch()
    eventually(lambda: leftovers.end(tmp_path) == 1)
    assert not left.running
    assert other.running
    other.kill()
