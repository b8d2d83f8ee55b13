"""More requests than the API has threads wait for a server that hangs: nobody waits long, and nothing happens twice."""

import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

import pytest
import requests

from local.servers import Mongod, RedisServer, Server
from tests.api.archive import stored_order
from tests.api.contract import json_of, problem
from tests.api.test_servers_away import DEADLINE, away
from tests.client import Client
from tests.processes import Servers, Service, eventually, service

MANY = 64
"""Four times the API's threads."""

ORDER = {"userId": "someone", "productId": "plenty", "quantity": 1}


@pytest.fixture(scope="module")
def own(servers: Servers, shop: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An API and a worker on a Redis and a MongoDB of their own; the shop has made the topics."""
    folder = tmp_path_factory.mktemp("hung")
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


@dataclass
class Timed:
    """An answer, how long it took (s), and when it came."""

    answer: requests.Response
    took: float
    at: float


def timed(own: Service, method: str, path: str, body: object = None, **headers: str) -> Timed:
    began = time.monotonic()
    answer = Client(own.url).call(method, path, body, headers=headers)
    ended = time.monotonic()
    return Timed(answer, ended - began, ended)


@pytest.mark.parametrize("server", ["redis", "mongod"])
def test_while_many_wait_for_a_hung_server_the_others_are_answered(own: Service, server: str) -> None:
    order_id = Client(own.url).write("POST", "/order/create", ORDER)["orderId"]
    hung = own.servers.redis_server if server == "redis" else own.servers.mongod
    needs_it, does_not = ("/task/", "/orders/") if server == "redis" else ("/orders/", "/task/none-of-")
    with away(hung, "paused"), ThreadPoolExecutor(MANY + 1) as pool:
        waiting = [pool.submit(timed, own, "GET", needs_it + order_id) for _ in range(MANY)]
        wait(waiting, return_when="FIRST_COMPLETED")
        other = timed(own, "GET", does_not + order_id)
        answers = [future.result() for future in waiting]

    assert other.answer.status_code in {200, 404}
    assert other.at < max(answer.at for answer in answers)
    for answer in answers:
        problem(answer.answer, 503, "unavailable")
    assert max(answer.took for answer in answers) < DEADLINE
    eventually(lambda: Client(own.url).get("/readyz").ok)


def test_many_read_a_user_s_orders_while_redis_hangs(own: Service) -> None:
    with away(own.servers.redis_server, "paused"), ThreadPoolExecutor(MANY) as pool:
        answers = list(pool.map(lambda _: timed(own, "GET", "/order/someone"), range(MANY)))

    assert {each.answer.status_code for each in answers} == {200}
    assert max(each.took for each in answers) < DEADLINE


def test_a_list_that_breaks_off_ends_its_connection(own: Service) -> None:
    filler = {"filler": "x" * 15_000}
    own.servers.orders().insert_many([stored_order(number, userId="many", metadata=filler) for number in range(1500)])
    with Client(own.url).connected() as connection:
        connection.sendall(b"GET /order/many HTTP/1.1\r\nHost: x\r\n\r\n")
        received = connection.recv(12)
        assert received == b"HTTP/1.1 200"
        with away(own.servers.mongod, "paused"):  # more is to come than fits between us
            while piece := connection.recv(1_000_000):
                received = piece
    assert not received.endswith(b"0\r\n\r\n")
    assert "break off" in own.children["api"].log.read_text()


def test_a_write_that_asks_two_hung_servers_waits_for_both_together(own: Service) -> None:
    order_id = Client(own.url).write("POST", "/order/create", ORDER)["orderId"]

    with away(own.servers.redis_server, "paused"), away(own.servers.mongod, "paused"):
        asked_both = timed(own, "PUT", f"/order/{order_id}", {"note": "n"}, **{"Idempotency-Key": "both"})

    # (It is unknown where MongoDB has answered in the moment before it froze.)
    assert asked_both.answer.status_code == 503
    assert asked_both.answer.json()["type"] in {"unavailable", "outcome-unknown"}
    assert asked_both.took < DEADLINE
    eventually(lambda: Client(own.url).get("/readyz").ok)


def test_with_redis_frozen_every_answer_comes_in_time_and_each_key_is_one_order(own: Service) -> None:
    user = f"user-{uuid.uuid4().hex}"
    thawed = threading.Event()
    tries: list[list[Timed]] = [[] for _ in range(40)]

    def buy(number: int) -> dict[str, str]:
        """Send one order until it is accepted."""
        body = {**ORDER, "userId": user, "note": str(number)}
        while True:
            one = timed(own, "POST", "/order/create", body, **{"Idempotency-Key": f"{user}-{number}"})
            tries[number].append(one)
            if one.answer.status_code == 202:
                accepted: dict[str, str] = one.answer.json()
                return accepted
            assert one.answer.status_code == 503
            thawed.wait(0.5)  # as a customer in a hurry does

    with ThreadPoolExecutor(40) as pool:
        with away(own.servers.redis_server, "paused"):
            buying = [pool.submit(buy, number) for number in range(40)]
            eventually(lambda: min(map(len, tries)) >= 3, within=30)
            assert not any(future.done() for future in buying)
        thawed.set()
        bought = [future.result() for future in buying]

    every = [one for of_one in tries for one in of_one]
    assert max(one.took for one in every) < DEADLINE
    kinds = {one.answer.json().get("type") for one in every}
    assert kinds == {None, "outcome-unknown", "unavailable"}
    api = Client(own.url)
    assert {api.ended(accepted["taskId"])["outcome"] for accepted in bought} == {"created"}
    orders = json_of(api.get(f"/order/{user}"))
    assert sorted(int(order["note"]) for order in orders) == list(range(40))
    assert {order["orderId"] for order in orders} == {accepted["orderId"] for accepted in bought}
