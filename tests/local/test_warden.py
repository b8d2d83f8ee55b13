"""No process outlives the one that started it, however that one ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from tests.processes import REPOSITORY, eventually

THREE_SERVERS = """
import sys
from pathlib import Path
from local.processes import Child
from local.servers import KafkaBroker, Mongod, RedisServer
folder = Path(sys.argv[1])
servers = [RedisServer(folder / "redis"), Mongod(folder / "mongod"), KafkaBroker(folder / "kafka")]
for server in servers:
    server.launch()
for server in servers:
    server.wait_until_ready()
frozen = Child("frozen", ["sleep", "1000"], log=folder / "log", cwd=folder)
frozen.launch()
frozen.pause()
deaf = Child("deaf", ["sh", "-c", "trap '' TERM; sleep 1000 & sleep 1000"], log=folder / "log", cwd=folder)
deaf.launch()
print("up", flush=True)
sys.stdin.read()  # ends with the test run, should that be killed
"""


def descendants(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def test_kill_9_of_the_parent_ends_three_servers_a_frozen_process_a_deaf_one_and_its_child(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", THREE_SERVERS, str(tmp_path)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "up\n"
        # redis-server, mongod, java, the frozen sleep, the deaf sh with its two, and the warden itself
        started = eventually(lambda: seen if len(seen := descendants(parent.pid)) == 8 else [])
        os.killpg(parent.pid, signal.SIGKILL)  # the group too: the warden must not be in it
    eventually(lambda: not alive(started), within=20)
    assert '"Shutting down","attr":{"exitCode":0}' in (tmp_path / "mongod" / "mongod.log").read_text()
    assert "Redis is now ready to exit" in (tmp_path / "redis" / "redis-server.log").read_text()
