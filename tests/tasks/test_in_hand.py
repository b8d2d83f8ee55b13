"""A frozen worker has a write in hand: the write behind it waits, and a discard is decided by what comes first."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from local.processes import Child
from models import fence
from models.ids import new_id
from models.writes import Write
from tasks.accept import Submission, accept
from tasks.set_aside import set_aside
from tests.processes import REPOSITORY, Servers, Service, eventually, service

Frozen = Callable[[str], Child]


@pytest.fixture(scope="module")
def own(servers: Servers) -> Servers:
    return Servers(servers.redis_server, servers.mongod, servers.kafka, database="in_hand", redis_db=14)


@pytest.fixture
def redis(own: Servers) -> Redis:
    client = own.redis_client()
    client.flushdb()
    return client


@pytest.fixture
def product(redis: Redis, unique: Callable[[str], str]) -> str:
    """Ten units of something."""
    name = unique("product")
    redis.set(f"product:{name}:stock", 10)
    return name


@pytest.fixture
def running(own: Servers, redis: Redis, tmp_path: Path) -> Iterator[Service]:
    own.make_topics()
    # Nobody is given what the frozen worker has, however long the tests take.
    with service(own, tmp_path, WORKER_CONCURRENCY="1", VISIBILITY_TIMEOUT="120") as started:
        yield started


@pytest.fixture
def frozen(running: Service) -> Iterator[Frozen]:
    """Start a worker that freezes at a step, and wait until it has."""
    started: list[Child] = []

    def start(step: str) -> Child:
        child = Child(
            "worker-frozen",
            [sys.executable, "-m", "tests.tasks.freezing_worker", "worker", "-Q", "orders", "-n", "frozen@%h"],
            log=running.logs / "frozen.log",
            cwd=REPOSITORY,
            environment={**running.environment(), "FREEZE": step},
        )
        running.children["worker-frozen"] = child
        child.launch()
        started.append(child)
        eventually(lambda: " T " in Path(f"/proc/{child.pid}/stat").read_text(), within=60)
        return child

    yield start
    for child in started:
        thaw(child)


def thaw(child: Child) -> None:
    os.killpg(child.pid, signal.SIGCONT)


def accepted(redis: Redis, kind: Any, order_id: str = "", **body: Any) -> str:
    task_id = new_id()
    accept(redis, Submission(Write(task_id, order_id or task_id, kind, body, datetime.now(UTC)), exists=True))
    return task_id


def a_create(redis: Redis, product: str, quantity: int = 3) -> str:
    items = [{"productId": product, "quantity": quantity}]
    return accepted(redis, "create", userId="user-1", items=items, currency="USD")


def record(redis: Redis, task_id: str) -> dict[str, Any]:
    return dict(json.loads(redis.get(f"celery-task-meta-{task_id}") or "{}"))


def succeeded(redis: Redis, task_id: str) -> dict[str, Any]:
    return eventually(lambda: found if (found := record(redis, task_id)).get("status") == "SUCCESS" else None) or {}


def discard(running: Service, redis: Redis, task_id: str) -> "subprocess.CompletedProcess[str]":
    """Park what the frozen worker has in hand, as another worker would, and discard it."""
    [tag] = redis.hkeys("unacked")
    set_aside(redis, str(tag), "it was a test")
    return running.run("tasks", "parked", "discard", task_id)


def goes_on(redis: Redis, child: Child, product: str) -> None:
    """Thaw the worker, and wait until it has ended what it had in hand and one more write."""
    thaw(child)
    succeeded(redis, a_create(redis, product, 1))


def test_a_write_waits_for_the_one_before_it_though_a_worker_is_free(
    running: Service, redis: Redis, frozen: Frozen, product: str
) -> None:
    order_id = a_create(redis, product)
    child = frozen("before stock")
    a_create(redis, product)  # the frozen worker had asked for one more
    change = accepted(redis, "update", order_id, note="behind it")
    running.worker("orders", "free")

    succeeded(redis, a_create(redis, product))  # it was accepted after the change

    assert record(redis, change)["status"] == "QUEUED"
    thaw(child)
    assert succeeded(redis, change)["result"]["outcome"] == "updated"


@pytest.mark.parametrize("step", ["before stock", "before order"])
def test_a_discarded_create_is_not_stored_by_a_worker_that_thaws(
    step: str, own: Servers, running: Service, redis: Redis, frozen: Frozen, product: str
) -> None:
    task_id = a_create(redis, product)
    child = frozen(step)

    assert discard(running, redis, task_id).stdout == f"discarded {task_id}\n"
    goes_on(redis, child, product)

    assert own.orders().count_documents({"_id": task_id, "deletedAt": None}) == 0
    assert own.orders().count_documents({"items.productId": product}) == 1
    assert redis.get(f"product:{product}:stock") == "9"
    assert record(redis, task_id)["problem"]["type"] == "discarded"
    assert redis.hget("counts", "discarded_refused") == "1"
    # What had not been moved when it was discarded never was: that worker might have died before it undid it.
    assert redis.hget("counts", "movements_undone") == (None if step == "before stock" else "1")


@pytest.mark.parametrize("step", ["before stock", "before order"])
def test_a_discarded_change_is_not_stored_by_a_worker_that_thaws(
    step: str, own: Servers, running: Service, redis: Redis, frozen: Frozen, product: str
) -> None:
    order_id = a_create(redis, product)
    running.worker("orders", "first")
    succeeded(redis, order_id)
    running.children["worker-first"].stop()
    task_id = accepted(redis, "update", order_id, items=[{"productId": product, "quantity": 5}])
    child = frozen(step)

    assert discard(running, redis, task_id).stdout == f"discarded {task_id}\n"
    goes_on(redis, child, product)
    following = accepted(redis, "update", order_id, note="after it")

    assert succeeded(redis, following)["result"]["outcome"] == "updated"
    stored: Any = own.orders().find_one({"_id": order_id})
    assert [entry["taskId"] for entry in stored["timeline"]] == [order_id, following]
    assert redis.get(f"product:{product}:stock") == "6"
    assert record(redis, task_id)["problem"]["type"] == "discarded"
    assert redis.hget("counts", "movements_undone") == (None if step == "before stock" else "1")


def test_a_write_that_was_stored_first_ends_as_what_it_did(
    own: Servers, running: Service, redis: Redis, frozen: Frozen, product: str
) -> None:
    task_id = a_create(redis, product)
    child = frozen("after order")

    done = discard(running, redis, task_id)

    assert (done.returncode, done.stdout) == (1, "")
    assert f"{task_id}: it took effect (version 1), and its record says so now" in done.stderr
    ended = record(redis, task_id)
    assert (ended["status"], ended["result"]["outcome"], ended.get("problem")) == ("SUCCESS", "created", None)
    assert not redis.exists("parked")
    assert redis.hget("counts", "parked_discarded") is None
    goes_on(redis, child, product)
    assert redis.get(f"product:{product}:stock") == "6"
    assert own.orders().count_documents({"_id": task_id, "deletedAt": None, "discarded": None}) == 1


def test_a_create_still_comes_after_a_change_to_it_was_discarded(
    own: Servers, running: Service, redis: Redis, product: str
) -> None:
    order_id = a_create(redis, product)
    mark = new_id()
    assert fence.discard(own.orders(), order_id, mark, datetime.now(UTC)) is None  # type: ignore[arg-type]
    running.worker("orders")

    assert succeeded(redis, order_id)["result"]["outcome"] == "created"
    stored: Any = own.orders().find_one({"_id": order_id})
    assert (stored["version"], len(stored["outbox"]) <= 1, "deletedAt" in stored) == (1, True, False)
    assert stored["discarded"] == [mark]
