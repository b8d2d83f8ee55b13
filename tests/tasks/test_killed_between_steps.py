"""A write killed after any of its steps and run again takes effect once: one version, one movement, one event."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from models.ids import new_id
from tests.processes import REPOSITORY, Servers, eventually
from tests.topics import OUTGOING, Topics, headers

STEPS = ["stock decided", "order stored", "event sent", "outcome recorded", "event removed"]


class Runner:
    """Runs writes in processes that die where they are told to."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.tasks.dying"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=REPOSITORY,
            env=environment,
            text=True,
            start_new_session=True,
        )

    def run(self, write: dict[str, Any], after: str | None = None) -> dict[str, Any]:
        """Run a write; return its outcome, or the signal that ended it."""
        return self._run({"write": write, "after": after})

    def run_task(self, name: str, task_id: str, after: str | None = None, **kwargs: Any) -> dict[str, Any]:
        """Run another task; return that it was done, or the signal that ended it."""
        return self._run({"task": name, "id": task_id, "kwargs": kwargs, "after": after})

    def _run(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        told: dict[str, Any] = {}
        while not {"signal"} & set(told) and (line := self._process.stdout.readline().strip()) != "{}":
            told |= json.loads(line)
        return told

    def close(self) -> None:
        """End the runner, with a write in it that waits for something that never comes."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()


@pytest.fixture(scope="module")
def own(servers: Servers) -> Servers:
    return Servers(servers.redis_server, servers.mongod, servers.kafka, database="killed", redis_db=5)


@pytest.fixture(scope="module")
def runner(own: Servers, shop: object) -> Iterator[Runner]:  # the shop has made the topics
    running = Runner({"PATH": "/usr/bin:/bin", **own.environment()})
    yield running
    running.close()


def a_write(kind: str, order_id: str | None = None, **body: Any) -> dict[str, Any]:
    task_id = new_id()
    return {
        "task_id": task_id,
        "order_id": order_id or task_id,
        "kind": kind,
        "body": body,
        "accepted_at": datetime.now(UTC).isoformat(),
    }


def a_create(product: str, quantity: int) -> dict[str, Any]:
    items = [{"productId": product, "quantity": quantity, "unitPrice": "2.50"}]
    return a_write("create", userId="user-1", items=items, currency="USD")


def check(own: Servers, topics: Topics, order_id: str, product: str, versions: int, stock: int) -> dict[str, Any]:
    """Check what any other program can see of the order; return it."""
    order: Any = eventually(lambda: own.orders().find_one({"_id": order_id, "outbox": []}))
    assert [entry["version"] for entry in order["timeline"]] == list(range(1, versions + 1))
    assert order["version"] == versions
    assert own.redis_client().get(f"product:{product}:stock") == str(stock)
    with topics.reader(*OUTGOING) as reader:
        # One killed after it was sent is there twice, and may be read before another topic's first.
        ids = reader.wait_for_ids({f"{order_id}:{version}" for version in range(1, versions + 1)}, key=order_id)
    assert ids == {f"{order_id}:{version}" for version in range(1, versions + 1)}
    return dict(order)


def forget(redis: Redis, order_id: str) -> None:
    """Have Redis lose what was decided about an order, and all records."""
    redis.delete(*redis.scan_iter(f"order:{order_id}:*"), *redis.scan_iter("celery-task-meta-*"))


@pytest.mark.parametrize("step", STEPS)
def test_a_create_killed_after_a_step_and_run_again_is_one_order(
    step: str, own: Servers, runner: Runner, topics: Topics, unique: Callable[[str], str]
) -> None:
    product = unique("product")
    own.redis_client().set(f"product:{product}:stock", 10)
    write = a_create(product, 3)

    assert runner.run(write, after=step) == {"signal": signal.SIGKILL}
    again = runner.run(write)
    third = runner.run(write)

    assert again == third
    assert again["outcome"] == "created"
    check(own, topics, write["order_id"], product, versions=1, stock=7)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", ["update", "delete"])
def test_a_change_killed_after_a_step_and_run_again_is_one_version(
    kind: str, step: str, own: Servers, runner: Runner, topics: Topics, unique: Callable[[str], str]
) -> None:
    product = unique("product")
    own.redis_client().set(f"product:{product}:stock", 10)
    create = a_create(product, 3)
    runner.run(create)
    body: dict[str, Any] = {}
    if kind == "update":
        body = {"items": [{"productId": product, "quantity": 5, "unitPrice": None}]}
    write = a_write(kind, create["order_id"], **body)

    assert runner.run(write, after=step) == {"signal": signal.SIGKILL}
    again = runner.run(write)
    third = runner.run(write)

    assert again == third
    assert again["outcome"] == f"{kind}d"
    check(own, topics, create["order_id"], product, versions=2, stock={"update": 5, "delete": 10}[kind])


def test_a_refusal_stands_when_stock_comes_before_the_task_runs_again(
    own: Servers, runner: Runner, unique: Callable[[str], str]
) -> None:
    product = unique("product")
    own.redis_client().set(f"product:{product}:stock", 1)
    write = a_create(product, 3)
    assert runner.run(write, after="stock decided") == {"signal": signal.SIGKILL}

    own.redis_client().set(f"product:{product}:stock", 100)
    again = runner.run(write)

    assert again["outcome"] == "rejected"
    assert again["problem"]["type"] == "insufficient-stock"
    assert own.orders().find_one({"_id": write["order_id"]}) is None
    assert own.redis_client().get(f"product:{product}:stock") == "100"


def test_a_create_that_is_stored_is_never_refused_though_redis_has_lost_what_it_knew(
    own: Servers, runner: Runner, unique: Callable[[str], str]
) -> None:
    product = unique("product")
    redis = own.redis_client()
    redis.set(f"product:{product}:stock", 3)
    create = a_create(product, 3)
    runner.run(create)
    forget(redis, create["order_id"])

    assert runner.run(create)["outcome"] == "created"

    assert redis.get(f"product:{product}:stock") == "0"


def test_a_task_that_comes_back_long_after_its_record_moves_nothing(
    own: Servers, runner: Runner, topics: Topics, unique: Callable[[str], str]
) -> None:
    product = unique("product")
    redis = own.redis_client()
    redis.set(f"product:{product}:stock", 10)
    create = a_create(product, 3)
    runner.run(create)
    update = a_write("update", create["order_id"], items=[{"productId": product, "quantity": 1, "unitPrice": None}])
    runner.run(update)
    forget(redis, create["order_id"])
    for write in (create, update):
        write["accepted_at"] = (datetime.now(UTC) - timedelta(days=1)).isoformat()

    runner.run(create)
    runner.run(update)

    check(own, topics, create["order_id"], product, versions=2, stock=9)


def test_a_movement_left_by_a_revoked_task_is_taken_back_by_the_next_write(
    own: Servers, runner: Runner, topics: Topics, unique: Callable[[str], str]
) -> None:
    product = unique("product")
    own.redis_client().set(f"product:{product}:stock", 10)
    create = a_create(product, 3)
    runner.run(create)
    revoked = a_write("update", create["order_id"], items=[{"productId": product, "quantity": 8, "unitPrice": None}])
    runner.run(revoked, after="stock decided")
    assert own.redis_client().get(f"product:{product}:stock") == "2"

    following = a_write("update", create["order_id"], items=[{"productId": product, "quantity": 4, "unitPrice": None}])
    assert runner.run(following)["outcome"] == "updated"

    check(own, topics, create["order_id"], product, versions=2, stock=6)


def test_a_stock_level_killed_and_run_again_is_set_once(
    own: Servers, runner: Runner, unique: Callable[[str], str]
) -> None:
    product = unique("product")
    # As the last version queued it: what a level includes, and when it was read, are not told.
    level: dict[str, Any] = {
        "product_id": product,
        "units": 5,
        "version": None,
        "at": 1000,
        "source": "product_events/0",
        "offset": 3,
    }

    assert runner.run_task("set_stock_level", "level", after="level set", **level) == {"signal": signal.SIGKILL}
    own.redis_client().decr(f"product:{product}:stock")
    runner.run_task("set_stock_level", "level", **level)

    assert own.redis_client().get(f"product:{product}:stock") == "4"


@pytest.mark.parametrize("step", ["customer learnt", "orders asked for"])
def test_a_login_killed_after_a_step_and_run_again_asks_for_one_event(
    step: str, own: Servers, runner: Runner, unique: Callable[[str], str]
) -> None:
    user, task_id, redis = unique("user"), unique("login"), own.redis_client()
    now = int(datetime.now(UTC).timestamp() * 1000)
    login: dict[str, Any] = {"user_id": user, "email": "a@example.com", "preferences": None, "at": now}
    place: dict[str, Any] = {"source": "user_logged_in/0", "offset": 3}

    assert runner.run_task("record_login", task_id, after=step, **login, **place) == {"signal": signal.SIGKILL}
    redis.hset("user:email", user, "newer@example.com")
    runner.run_task("record_login", task_id, **login, **place)

    assert redis.hget("user:email", user) == "newer@example.com"
    asked = [json.loads(message)["headers"] for message in redis.lrange("publish", 0, -1)]
    assert {headers["id"] for headers in asked if headers["subject"] == user} == {f"{task_id}:orders"}
    assert not [headers for headers in asked if "@example.com" in str(headers)]


def test_a_users_orders_killed_after_sending_are_sent_again_under_the_same_id(
    runner: Runner, topics: Topics, unique: Callable[[str], str]
) -> None:
    user, task_id = unique("user"), unique("publish")
    told = {"user_id": user, "reason": "request"}

    assert runner.run_task("publish_user_orders", task_id, after="event sent", **told) == {"signal": signal.SIGKILL}
    runner.run_task("publish_user_orders", task_id, **told)

    with topics.reader("user_orders") as reader:
        assert {headers(message)["ce_id"] for message in reader.wait_for(2, key=user)} == {task_id}
