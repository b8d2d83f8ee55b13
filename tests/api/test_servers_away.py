"""Redis or MongoDB stopped or hung: what works, what is refused and how fast, and that it comes back by itself."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from local.servers import Mongod, RedisServer, Server
from tests.api.contract import json_of, problem
from tests.client import Client
from tests.processes import Servers, Service, eventually, service

DEADLINE = 2.5
"""Seconds within which a caller has an answer, whatever hangs."""

ORDER = {"userId": "someone", "productId": "plenty", "quantity": 1}


@pytest.fixture(scope="module")
def own(servers: Servers, shop: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An API and a worker on a Redis and a MongoDB of their own; the shop has made the topics."""
    folder = tmp_path_factory.mktemp("away")
    mine = Servers(RedisServer(folder / "redis"), Mongod(folder / "mongod"), servers.kafka)
    with ThreadPoolExecutor() as pool:
        list(pool.map(Server.start, (mine.redis_server, mine.mongod)))
    mine.redis_client().set("product:plenty:stock", 1_000_000)
    with service(mine, folder) as running, ThreadPoolExecutor() as pool:
        for started in [pool.submit(running.api), pool.submit(running.worker, "orders")]:
            started.result()
        yield running
    mine.redis_server.stop()
    mine.mongod.stop()


@pytest.fixture
def api(own: Service) -> Client:
    return Client(own.url)


@pytest.fixture
def stored(api: Client) -> dict[str, Any]:
    created = api.write("POST", "/order/create", ORDER)
    assert created["outcome"] == "created"
    order: dict[str, Any] = created["order"]
    return order


@contextmanager
def away(server: Server, how: str) -> Iterator[None]:
    """Have a server that is away for as long as the block lasts: stopped, or hung with its connections open."""
    (server.stop if how == "stopped" else server.pause)()
    try:
        yield
    finally:
        (server.start if how == "stopped" else server.resume)()


@pytest.fixture
def ask(own: Service) -> Callable[..., dict[str, requests.Response]]:
    """Return how to send requests all at once, each answered in time, and never with a page or a traceback."""

    def one(request: tuple[str, str, Any]) -> requests.Response:
        began = time.monotonic()
        answer = Client(own.url).call(*request)
        assert time.monotonic() - began < DEADLINE, request
        assert answer.headers["Content-Type"] in {"application/json", "application/problem+json"}
        assert "Traceback" not in answer.text
        return answer

    def together(**requested: tuple[str, str, Any]) -> dict[str, requests.Response]:
        with ThreadPoolExecutor(len(requested)) as pool:
            return dict(zip(requested, pool.map(one, requested.values()), strict=True))

    return together


def everything(order_id: str) -> dict[str, tuple[str, str, Any]]:
    """Return one request of each kind."""
    return {
        "all": ("GET", "/order/all", None),
        "page": ("GET", "/order/all?limit=1000", None),
        "user": ("GET", "/order/someone", None),
        "one": ("GET", f"/orders/{order_id}", None),
        "task": ("GET", f"/task/{order_id}", None),
        "create": ("POST", "/order/create", ORDER),
        "update": ("PUT", f"/order/{order_id}", {"note": "meanwhile"}),
        "delete": ("DELETE", f"/order/{order_id}", None),
        "ready": ("GET", "/readyz", None),
        "live": ("GET", "/livez", None),
        "invalid": ("POST", "/order/create", {}),
        "nowhere": ("GET", "/nowhere", None),
    }


def unavailable(answer: requests.Response, kind: str) -> dict[str, Any]:
    """Return the problem of a 503, which says when to try again."""
    assert int(answer.headers["Retry-After"]) >= 1
    return problem(answer, 503, kind)


@pytest.mark.parametrize("how", ["stopped", "paused"])
def test_without_redis_reads_work_and_writes_say_that_their_outcome_is_unknown(
    own: Service, api: Client, ask: Callable[..., dict[str, requests.Response]], stored: dict[str, Any], how: str
) -> None:
    with away(own.servers.redis_server, how):
        answers = ask(**everything(stored["orderId"]))

    assert stored in json_of(answers["all"])
    assert json_of(answers["page"]) == json_of(answers["user"]) == json_of(answers["all"])
    assert json_of(answers["one"])["orderId"] == stored["orderId"]
    unknown = [unavailable(answers[name], "outcome-unknown") for name in ("create", "update", "delete")]
    for body in unknown:
        assert body["statusUrl"] == f"/task/{body['taskId']}"
    unavailable(answers["task"], "unavailable")
    checks = {"mongodb": "ok", "redis": "unavailable"}
    assert json_of(answers["ready"], 503) == {"status": "unavailable", "checks": checks}
    json_of(answers["live"])
    problem(answers["invalid"], 422, "invalid")
    problem(answers["nowhere"], 404, "not-found")

    back(api)
    for body in unknown:
        if api.get(body["statusUrl"]).status_code == 404:
            continue  # it was not accepted
        assert api.ended(body["taskId"])["outcome"] in {"created", "updated", "deleted", "rejected"}


@pytest.mark.parametrize("how", ["stopped", "paused"])
def test_without_mongodb_creates_are_accepted_and_the_rest_is_refused(
    own: Service, api: Client, ask: Callable[..., dict[str, requests.Response]], stored: dict[str, Any], how: str
) -> None:
    with away(own.servers.mongod, how):
        answers = ask(**everything(stored["orderId"]))
        accepted = json_of(answers["create"], 202)
        assert json_of(api.get(accepted["statusUrl"]))["state"] in {"QUEUED", "STARTED"}

    for name in ("all", "page", "user", "one", "task", "update", "delete"):
        unavailable(answers[name], "unavailable")
    checks = {"mongodb": "unavailable", "redis": "ok"}
    assert json_of(answers["ready"], 503) == {"status": "unavailable", "checks": checks}
    json_of(answers["live"])
    problem(answers["invalid"], 422, "invalid")
    problem(answers["nowhere"], 404, "not-found")

    assert api.ended(accepted["taskId"])["outcome"] == "created"
    back(api)
    assert json_of(api.get(f"/orders/{stored['orderId']}"))["version"] == 1


def test_without_both_every_answer_still_comes_in_time(
    own: Service, api: Client, ask: Callable[..., dict[str, requests.Response]], stored: dict[str, Any]
) -> None:
    with away(own.servers.mongod, "stopped"), away(own.servers.redis_server, "paused"):
        answers = ask(**everything(stored["orderId"]))

    unavailable(answers["create"], "outcome-unknown")
    for name in ("all", "page", "user", "one", "task", "update", "delete"):
        unavailable(answers[name], "unavailable")
    checks = {"mongodb": "unavailable", "redis": "unavailable"}
    assert json_of(answers["ready"], 503) == {"status": "unavailable", "checks": checks}
    json_of(answers["live"])
    back(api)


def back(api: Client) -> None:
    """Wait until the service, which nobody has started again, is ready, and use all of it."""
    eventually(lambda: api.get("/readyz").ok)
    order_id = api.write("POST", "/order/create", ORDER)["orderId"]
    assert api.write("PUT", f"/order/{order_id}", {"note": "back"})["outcome"] == "updated"
    assert order_id in {order["orderId"] for order in json_of(api.get("/order/someone"))}
    assert api.write("DELETE", f"/order/{order_id}")["outcome"] == "deleted"
