"""Celery's own workers on either transport: leases under busy children, what operators do, Redis killed meanwhile."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import celery
import pytest
import redis

from local.processes import Child
from local.servers import RedisServer
from tasks.envelope import envelope
from tests.processes import BIN, REPOSITORY, eventually
from tests.tasks.transport.conftest import Which

QUEUES = ("orders", "stock", "logins", "publish")


class Worker:
    """A worker of two children on all four queues, with a visibility timeout of 2 s."""

    def __init__(self, server: RedisServer, which: Which, log: Path) -> None:
        self.store = redis.Redis(port=server.port, decode_responses=True)
        self.store.flushall()
        words = ["-A", "tests.tasks.transport.app", "worker", "-Q", ",".join(QUEUES), "-n", f"{which}@%h"]
        variables = {"REDIS_PORT": str(server.port), "BROKER_TRANSPORT": which, "VISIBILITY_TIMEOUT": "2"}
        self.child = Child(
            which,
            [str(BIN / "celery"), *words, "--without-mingle", "--without-gossip"],
            log=log,
            cwd=REPOSITORY,
            environment={**os.environ, **variables, "REMAP_SIGTERM": "SIGQUIT"},
        )
        self.child.launch()
        eventually(lambda: " ready." in log.read_text(), within=30)
        # Its own transport is ours in either case: operators need not know what a worker runs.
        self.operator = celery.Celery(broker=f"redis://127.0.0.1:{server.port}/0")

    def send(self, task: str, name: str, queue: str = "orders") -> None:
        """Queue a task; its name is its id too."""
        self.store.lpush(queue, envelope(task, name, {"name": name}, queue))

    def noted(self) -> list[str]:
        """What ran to its end."""
        return [str(name) for name in self.store.lrange("noted", 0, -1)]

    def begun(self) -> list[str]:
        """What began."""
        return [str(name) for name in self.store.lrange("began", 0, -1)]

    def asked(self, what: str) -> set[str]:
        """The ids of tasks that `inspect` names."""
        answers: Any = getattr(self.operator.control.inspect(timeout=5, limit=1), what)() or {}
        return {task["id"] for tasks in answers.values() for task in tasks}

    def idle(self) -> bool:
        """Tell whether nothing waits and nothing is in hand."""
        return self.store.exists("unacked", *QUEUES) == 0


@pytest.fixture(scope="module", params=["stock", "ours"])
def which(request: pytest.FixtureRequest) -> Which:
    """Each transport's tests one after the other, on one worker."""
    found: Which = request.param
    return found


@pytest.fixture(scope="module")
def worker(server: RedisServer, which: Which, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """That worker; the last of these tests stops it."""
    running = Worker(server, which, tmp_path_factory.mktemp("worker") / f"{which}.log")
    yield running
    running.child.kill()
    running.operator.close()
    running.store.close()


@pytest.fixture(autouse=True)
def afresh(worker: Worker) -> Iterator[None]:
    """Begin with nothing in Redis but kombu's bindings, and leave nothing that still runs."""
    worker.store.delete("noted", "began", "go", "counts", "unacked", "unacked_index", *QUEUES)
    yield
    worker.store.set("go", "now")
    eventually(lambda: worker.idle() or not worker.child.running)


def test_one_worker_reads_four_queues(worker: Worker) -> None:
    for number in range(20):
        for queue in QUEUES:
            worker.send("note", f"{queue} {number}", queue)

    eventually(lambda: len(worker.noted()) == 80)

    assert set(worker.noted()) == {f"{queue} {number}" for queue in QUEUES for number in range(20)}
    eventually(worker.idle)


def test_what_takes_longer_than_the_visibility_timeout(which: Which, worker: Worker) -> None:
    # Two are begun, the others wait in the worker's hands: its prefetch is full.
    for number in range(8):
        worker.send("hold", str(number))
    eventually(lambda: len(worker.begun()) == 2 and worker.store.hlen("unacked") == 8)

    if which == "stock":
        # They are given to others, or once more to itself as soon as it has room.
        eventually(lambda: worker.store.llen("orders") == 8)
    else:
        # Every 2/3 s for each of eight: longer than the visibility timeout.
        eventually(lambda: int(worker.store.hget("counts", "leases_renewed") or 0) >= 8 * 5)
        assert worker.store.llen("orders") == 0
        assert worker.store.hget("counts", "messages_restored") is None
    worker.store.set("go", "now")
    eventually(lambda: len(worker.noted()) == (16 if which == "stock" else 8) and worker.idle())


def test_operators_see_and_revoke(worker: Worker) -> None:
    names = {f"seen {number}" for number in range(4)}
    for name in names:
        worker.send("hold", name)
    eventually(lambda: len(worker.begun()) == 2)

    assert worker.asked("active") == set(worker.begun())
    assert worker.asked("reserved") == names - set(worker.begun())
    revoked = sorted(worker.asked("reserved"))[0]
    worker.operator.control.revoke(revoked)
    worker.store.set("go", "now")

    eventually(worker.idle)
    assert set(worker.noted()) == names - {revoked}


def test_redis_killed_while_messages_are_in_hand(worker: Worker, server: RedisServer) -> None:
    names = {str(number) for number in range(12)}
    for name in names:
        worker.send("hold", name)
    eventually(lambda: worker.store.hlen("unacked") == 8)

    server.kill()
    server.start()
    worker.store.set("go", "now")

    eventually(lambda: set(worker.noted()) == names and worker.idle(), within=40)
    assert worker.child.running


def test_a_remote_shutdown_puts_back_what_was_not_done(which: Which, worker: Worker) -> None:
    for number in range(6):
        worker.send("note", str(number))
    eventually(worker.idle)
    for number in range(4):
        worker.send("hold", f"held {number}")
    eventually(lambda: worker.store.hlen("unacked") == 4 and len(worker.begun()) == 2)

    worker.operator.control.shutdown()
    eventually(lambda: "shutdown from remote" in worker.child.log.read_text())
    worker.store.set("go", "now")

    # It waits for what has begun.
    assert worker.child.wait(20) == 0
    left = {name for name in ("held 0", "held 1", "held 2", "held 3") if name not in worker.noted()}
    assert worker.store.hlen("unacked") == 0
    assert worker.store.llen("orders") == len(left)
