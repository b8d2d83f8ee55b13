"""Refusing new writes while there is still room to finish those that were accepted."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from redis import Redis

from local.servers import RedisServer
from tests.api.contract import json_of, problem
from tests.client import Client
from tests.processes import Servers, Service, eventually, service

MARK = 5
ORDER = {"userId": "someone", "productId": "plenty", "quantity": 1}


@pytest.fixture(scope="module")
def own(servers: Servers, shop: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An API with a low mark on a Redis of its own; there is a worker only where a test wants one."""
    folder = tmp_path_factory.mktemp("overload")
    mine = Servers(RedisServer(folder / "redis"), servers.mongod, servers.kafka, database="overload")
    mine.redis_server.start()
    with service(mine, folder, QUEUE_MARK=str(MARK)) as running:
        running.api()
        yield running
    mine.redis_server.stop()


@pytest.fixture
def redis_client(own: Service) -> "Redis":
    client = own.servers.redis_client()
    client.flushdb()
    client.set("product:plenty:stock", 1_000_000)
    return client


@pytest.fixture
def api(own: Service, redis_client: "Redis") -> Client:
    return Client(own.url)


@contextmanager
def working(own: Service) -> Iterator[None]:
    """Have a worker for as long as the block lasts."""
    worker = own.worker("orders")
    try:
        yield
    finally:
        worker.kill()


def overloaded(answer: requests.Response) -> None:
    assert int(answer.headers["Retry-After"]) >= 1
    problem(answer, 503, "overloaded")


def nobody(api: Client) -> int:
    """Return the status of a write that is refused or finds no order, so that asking fills nothing."""
    return api.call("PUT", "/order/nobody", {"note": "n"}).status_code


def accept_up_to_the_mark(api: Client, key: str | None = None) -> list[dict[str, Any]]:
    """Send creates until one is refused, each with a key of its own where `key` says how keys begin."""
    accepted: list[dict[str, Any]] = []
    while len(accepted) <= MARK:
        headers = {"Idempotency-Key": f"{key}-{len(accepted)}"} if key else {}
        answer = api.call("POST", "/order/create", ORDER, headers=headers)
        if answer.status_code != 202:
            overloaded(answer)
            return accepted
        accepted.append(answer.json())
    raise AssertionError("nothing was refused")


def test_at_the_mark_new_writes_are_refused_and_what_was_accepted_ends(
    own: Service, api: Client, redis_client: "Redis"
) -> None:
    accepted = accept_up_to_the_mark(api)

    assert len(accepted) == MARK
    assert redis_client.hget("counts", "accepts_refused") == "1"
    order_id = accepted[0]["orderId"]
    overloaded(api.call("PUT", f"/order/{order_id}", {"note": "n"}))
    overloaded(api.call("DELETE", f"/order/{order_id}"))
    assert redis_client.llen("orders") == MARK
    with working(own):
        assert [api.ended(task["taskId"])["outcome"] for task in accepted] == ["created"] * MARK
        assert api.write("PUT", f"/order/{order_id}", {"note": "n"})["outcome"] == "updated"


def test_writes_that_wait_behind_one_order_count(api: Client, redis_client: "Redis") -> None:
    order_id = api.accepted("POST", "/order/create", ORDER)["orderId"]
    for _ in range(MARK - 1):
        api.accepted("PUT", f"/order/{order_id}", {"note": "n"})

    overloaded(api.call("PUT", f"/order/{order_id}", {"note": "n"}))

    assert redis_client.llen(f"order:{order_id}:waiting") == MARK - 1
    assert redis_client.hget("counts", "writes_queued_behind") == str(MARK - 1)


def test_a_write_that_was_accepted_before_is_answered_at_the_mark_too(api: Client) -> None:
    first = accept_up_to_the_mark(api, key="known")[0]

    again = api.call("POST", "/order/create", ORDER, headers={"Idempotency-Key": "known-0"})

    assert json_of(again, 202) == first


@contextmanager
def maxmemory(redis_client: "Redis", share: float) -> Iterator[None]:
    """Have `maxmemory` such that this share of it is in use."""
    used = int(redis_client.info("memory")["used_memory"])
    redis_client.config_set("maxmemory", int(used / share))
    try:
        yield
    finally:
        redis_client.config_set("maxmemory", 0)


def test_from_80_percent_of_the_memory_new_writes_are_refused_and_what_was_accepted_ends(
    own: Service, api: Client, redis_client: "Redis"
) -> None:
    # What one more order takes is little of it. Sent whole, it would count twice while Redis still holds what it read.
    redis_client.setrange("ballast", 50_000_000, "x")
    first = json_of(api.call("POST", "/order/create", ORDER, headers={"Idempotency-Key": "memory"}), 202)

    with maxmemory(redis_client, 0.85):
        eventually(lambda: nobody(api) == 503)
        queued = redis_client.llen("orders")
        overloaded(api.call("POST", "/order/create", ORDER))
        assert redis_client.llen("orders") == queued
        again = api.call("POST", "/order/create", ORDER, headers={"Idempotency-Key": "memory"})
        assert json_of(again, 202) == first
        with working(own):
            assert api.ended(first["taskId"])["outcome"] == "created"
    with maxmemory(redis_client, 0.75):
        eventually(lambda: nobody(api) == 404)
        api.accepted("POST", "/order/create", ORDER)


def test_with_no_memory_left_at_all_nothing_is_half_accepted(api: Client, redis_client: "Redis") -> None:
    api.accepted("POST", "/order/create", ORDER)
    names = set(redis_client.keys())

    with maxmemory(redis_client, 1.5):
        answers = [api.call("POST", "/order/create", ORDER) for _ in range(10)]

    for answer in answers:
        overloaded(answer)
    assert set(redis_client.keys()) == names
