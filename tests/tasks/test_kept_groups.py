"""Stock levels and logins that wait together are applied together, and one bad one among them harms no other."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tasks.enqueue import Job, enqueue
from tests.processes import Servers, Service, eventually, service
from tests.tasks.poisoned_worker import DEADLY


@pytest.fixture(scope="module")
def own(servers: Servers) -> Servers:
    """A Redis of our own on the servers of the run."""
    return Servers(servers.redis_server, servers.mongod, servers.kafka, database="kept", redis_db=9)


@pytest.fixture
def client(own: Servers) -> "redis.Redis":
    client = own.redis_client()
    client.flushdb()
    return client


@pytest.fixture
def running(own: Servers, client: "redis.Redis", tmp_path: Path) -> Iterator[Service]:
    """A service without processes; a test starts its worker once the queue is full."""
    with service(own, tmp_path, WORKER_CONCURRENCY="1") as started:
        yield started


def level(product: str, units: int = 5, offset: int = 1) -> Job:
    told = {"product_id": product, "units": units, "version": None, "at": 1, "source": "t/0", "offset": offset}
    return Job("set_stock_level", f"{product}:{offset}", "stock", told, product)


def login(user: str, offset: int) -> Job:
    told = {"user_id": user, "email": f"{offset}@example.com", "preferences": None}
    return Job("record_login", f"{user}:{offset}", "logins", {**told, "at": 1, "source": "t/0", "offset": offset}, user)


def all_taken(client: "redis.Redis") -> bool:
    return not client.llen("stock") and not client.llen("logins") and not client.hlen("unacked")


def levels(client: "redis.Redis", products: list[str]) -> list[Any]:
    return list(client.mget([f"product:{product}:stock" for product in products]))


def entry(client: "redis.Redis", task_id: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(client.hget("parked", task_id) or "{}")
    return found


def test_what_waits_together_is_applied_by_few_calls_and_in_order(
    client: "redis.Redis", running: Service, unique: Callable[[str], str]
) -> None:
    products, user = [unique("product") for _ in range(100)], unique("user")
    enqueue(client, [level(product, units, units) for units in (1, 2, 3) for product in products])
    enqueue(client, [login(user, offset) for offset in range(20)])
    client.config_resetstat()
    running.worker("stock,logins")

    eventually(lambda: all_taken(client), within=40)
    assert levels(client, products) == ["3"] * 100
    assert client.hget("user:email", user) == "19@example.com"
    told: dict[str, Any] = client.info("commandstats")
    acknowledged = told["cmdstat_hdel"]["calls"]
    assert acknowledged < 20, "320 tasks were acknowledged one by one"


def test_a_level_that_can_t_be_applied_is_parked_and_249_take_effect(
    client: "redis.Redis", running: Service, unique: Callable[[str], str]
) -> None:
    good, bad = [unique("product") for _ in range(249)], unique("product")
    client.hset(f"product:{bad}:level", "at", "not a number")
    enqueue(client, map(level, [*good[:120], bad, *good[120:]]))
    running.worker("stock")

    eventually(lambda: all_taken(client), within=40)
    assert levels(client, good) == ["5"] * 249
    assert entry(client, f"{bad}:1")["reason"] == "it raised ResponseError"
    assert client.hlen("parked") == 1


def test_a_level_that_kills_its_process_is_parked_at_its_third_start_and_99_take_effect(
    client: "redis.Redis", running: Service, unique: Callable[[str], str]
) -> None:
    good = [unique("product") for _ in range(99)]
    enqueue(client, map(level, [*good[:50], DEADLY, *good[50:]]))
    words = ["python", "-m", "tests.tasks.poisoned_worker", "worker", "-Q", "stock", "--without-mingle"]
    running.start("worker-poisoned", *words)

    eventually(lambda: all_taken(client), within=60)
    assert levels(client, good) == ["5"] * 99
    assert entry(client, f"{DEADLY}:1")["starts"] == 3
    assert levels(client, [DEADLY]) == [None]


@pytest.mark.parametrize("pool", ["solo", "threads"])
def test_other_pools_work_too(client: "redis.Redis", running: Service, unique: Callable[[str], str], pool: str) -> None:
    products = [unique("product") for _ in range(600)]
    enqueue(client, map(level, products))
    running.worker("stock", "", "--pool", pool)

    eventually(lambda: all_taken(client), within=40)
    assert levels(client, products) == ["5"] * 600
