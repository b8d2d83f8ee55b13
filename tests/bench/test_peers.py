"""The peers work: the service is measured against opponents that store, announce and refuse as they should."""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest
from bson.decimal128 import Decimal128
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, Producer, TopicPartition
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database
from redis import Redis

from bench.peer_processes import COMMANDS, PEERS, SERVICE, TOOLCHAINS, running, why_not_here
from local.ports import free_port
from local.servers import KafkaBroker, Mongod, RedisServer

PEERS_COMMANDS = {name: commands for name, commands in COMMANDS.items() if name != SERVICE}
PATIENCE = 60.0
pytestmark = pytest.mark.timeout(300)  # the first test of a peer may have to install it

Result = TypeVar("Result")


@dataclass(frozen=True)
class Peer:
    """A running peer, seen from outside: over HTTP, and in the servers that it works on."""

    port: int
    redis: "Redis"
    orders: "Collection[dict[str, Any]]"
    bootstrap: str

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)) as connection:
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, json.loads(response.read())

    def get(self, path: str) -> Any:
        return self.call("GET", path)[1]

    def create(self, body: object) -> dict[str, Any]:
        """Return the order, or the problem: most answer it at once, the textbook's task has it in the end."""
        status, answer = self.call("POST", "/order/create", body)
        if status != 202:
            assert status == (201 if "orderId" in answer else answer["status"])
            return cast("dict[str, Any]", answer)
        task = until(lambda: self._ended_task(answer["statusUrl"]))
        return cast("dict[str, Any]", task["order"] or task["problem"])

    def _ended_task(self, status_url: str) -> Any:
        task = self.get(status_url)
        return task["outcome"] and task

    def tell(self, topic: str, key: str, value: object) -> None:
        producer = Producer({"bootstrap.servers": self.bootstrap})
        producer.produce(topic, json.dumps(value), key)
        assert producer.flush(PATIENCE) == 0

    def told(self, topic: str, key: str) -> list[Message]:
        """Return what an independent consumer finds under the key, from the topic's beginning to its present end."""
        return [message for message in read(self.bootstrap, topic) if message.key() == key.encode()]

    def stock(self, product_id: str) -> int | None:
        level = cast("bytes | None", self.redis.get(f"product:{product_id}:stock"))
        return None if level is None else int(level)

    def bring(self, units: int) -> str:
        """Announce a new product as the product service would; return its id once the peer has heard of it."""
        product_id = f"product-{uuid.uuid4()}"
        self.tell("product_events", product_id, {"productId": product_id, "stock": units})
        until(lambda: self.stock(product_id) == units)
        return product_id

    def log_in(self, email: str | None = None, preferences: Mapping[str, Any] | None = None) -> str:
        """Let a new customer log in; return their id once the peer has told of their orders, the last that it does."""
        user_id = f"user-{uuid.uuid4()}"
        self.tell("user_logged_in", user_id, {"userId": user_id, "email": email, "preferences": preferences})
        until(lambda: self.told("user_orders", user_id))
        return user_id


def until(condition: Callable[[], Result]) -> Result:
    deadline = time.monotonic() + PATIENCE
    while not (result := condition()):
        assert time.monotonic() < deadline, "this did not come true in time"
        time.sleep(0.05)
    return result


def read(bootstrap: str, topic: str) -> Iterator[Message]:
    with closing(Consumer({"bootstrap.servers": bootstrap, "group.id": "independent"})) as consumer:
        ends = {
            number: consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=PATIENCE)[1]
            for number in consumer.list_topics(topic, timeout=PATIENCE).topics[topic].partitions
        }
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in ends])
        missing = sum(ends.values())
        while missing:
            message = consumer.poll(PATIENCE)
            assert message is not None
            assert message.error() is None
            if cast(int, message.offset()) < ends[cast(int, message.partition())]:
                missing -= 1
                yield message


def value(message: Message) -> Any:
    return json.loads(cast(bytes, message.value()))


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis of the peers' own: the five variables name no database, and Celery keeps its queue there."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module", params=list(PEERS_COMMANDS))
def peer(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    redis_server: RedisServer,
    mongod: Mongod,
    kafka: KafkaBroker,
) -> Iterator[Peer]:
    reason = why_not_here(request.param)
    if reason:
        pytest.skip(reason)
    port, uri = free_port(), mongod.uri.replace("/orders", f"/{request.param}_peer")
    servers = {
        "MONGO_URI": uri,
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": str(redis_server.port),
        "KAFKA_BROKER": kafka.bootstrap,
    }
    client: MongoClient[dict[str, Any]]
    with MongoClient(uri) as client, Redis(port=redis_server.port) as redis:
        database: Database[dict[str, Any]] = client.get_default_database()
        client.drop_database(database)
        with running(request.param, port, servers, tmp_path_factory.mktemp(request.param)):
            yield Peer(port, redis, database.orders, kafka.bootstrap)


@pytest.mark.parametrize("name", PEERS_COMMANDS)
def test_the_commands_that_are_tested_are_those_of_the_readme(name: str) -> None:
    readme = (PEERS / name / "README.md").read_text().splitlines()
    assert [line for line in readme if line in COMMANDS[name]] == COMMANDS[name]
    assert name not in TOOLCHAINS or TOOLCHAINS[name].install in readme


@pytest.mark.parametrize("name", TOOLCHAINS)
def test_a_toolchain_that_is_missing_is_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    reason = why_not_here(name)
    assert reason is not None
    assert reason.startswith(f"THE {name.upper()} PEER WAS NOT RUN")
    assert reason.endswith(f"not on PATH: {', '.join(TOOLCHAINS[name].programs)}")


@pytest.mark.parametrize("name", TOOLCHAINS)
def test_a_toolchain_that_is_too_old_is_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for program in TOOLCHAINS[name].programs:
        old = tmp_path / program
        old.write_text("#!/bin/sh\necho v1.25.9\n")
        old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    reason = why_not_here(name)
    assert reason is not None
    assert reason.endswith("or newer; found v1.25.9")


def test_an_order_is_stored_exactly_and_read_back(peer: Peer) -> None:
    dear, cheap = peer.bring(5), peer.bring(9)
    items = [
        {"productId": dear, "quantity": 3, "unitPrice": "0.1000"},
        {"productId": cheap, "quantity": 2, "unitPrice": 999_999_999.99},
    ]
    user_id = peer.log_in()
    order = peer.create({"userId": user_id, "items": items, "note": "ring twice"})

    assert order["items"] == [items[0], {**items[1], "unitPrice": "999999999.99"}]
    assert (order["total"], order["currency"], order["note"]) == ("2000000000.2800", "USD", "ring twice")
    assert (order["status"], order["version"], order["userId"]) == ("confirmed", 1, user_id)
    [stored] = peer.orders.find({"_id": order["orderId"]})
    assert stored["total"] == Decimal128("2000000000.2800")
    assert stored["items"][0] == {"productId": dear, "quantity": 3, "unitPrice": Decimal128("0.1000")}
    assert peer.get(f"/orders/{order['orderId']}") == order
    assert peer.get(f"/order/{user_id}") == [order]
    assert peer.get("/order/all?limit=1") == [order]
    assert peer.get("/order/all")[0] == order
    assert (peer.stock(dear), peer.stock(cheap)) == (2, 7)


def test_an_order_is_announced_once_to_an_independent_consumer(peer: Peer) -> None:
    user_id = peer.log_in(email="someone@example.org")
    order = peer.create({"userId": user_id, "productId": peer.bring(1), "quantity": 1})

    [message] = peer.told("order_created", order["orderId"])
    names = ("orderId", "userId", "items", "currency", "total", "status", "createdAt", "version")
    assert value(message) == {name: order[name] for name in names} | {"email": "someone@example.org"}
    assert dict(message.headers() or [])["ce_id"] == f"{order['orderId']}:1".encode()


def test_an_order_waits_for_kafka_to_have_it(peer: Peer, kafka: KafkaBroker) -> None:
    body = {"userId": "someone", "productId": (product_id := peer.bring(1)), "quantity": 1}
    with ThreadPoolExecutor(1) as pool:
        kafka.pause()
        try:
            created = pool.submit(peer.create, body)
            until(lambda: peer.orders.count_documents({"items.productId": product_id}))
            with pytest.raises(TimeoutError):
                created.result(1)
        finally:
            kafka.resume()
        assert peer.told("order_created", created.result(PATIENCE)["orderId"])


def test_units_of_an_order_that_is_not_stored_are_given_back(peer: Peer) -> None:
    product_id, database = peer.bring(5), peer.orders.database
    body = {"userId": "someone", "productId": product_id, "quantity": 1}
    peer.create(body)
    database.command("collMod", "orders", validator={"note": {"$ne": "not to be stored"}})
    status, problem = peer.call("POST", "/order/create", body | {"note": "not to be stored"})
    if status == 202:
        pytest.skip("a task that fails is Celery's business")
    assert (status, problem["type"]) == (500, "internal")
    assert peer.stock(product_id) == 4


def test_listing_a_customers_orders_tells_of_them(peer: Peer) -> None:
    user_id = peer.log_in(email="someone@example.org")
    product_id = peer.bring(2)
    orders = [peer.create({"userId": user_id, "productId": product_id, "quantity": 1}) for _ in range(2)]

    assert peer.get(f"/order/{user_id}") == peer.get("/order/all?limit=2") == orders[::-1]
    until(lambda: len(peer.told("user_orders", user_id)) == 2)
    login, asked = sorted(map(value, peer.told("user_orders", user_id)), key=lambda event: event["total"])
    expected = {"userId": user_id, "email": "someone@example.org", "truncated": False}
    assert login == {**expected, "orders": [], "total": 0, "reason": "login"}
    assert asked == {**expected, "orders": orders[::-1], "total": 2, "reason": "request"}


def test_an_order_beyond_the_stock_is_refused_and_changes_nothing(peer: Peer) -> None:
    plenty, short = peer.bring(5), peer.bring(1)
    items = [{"productId": plenty, "quantity": 1}, {"productId": short, "quantity": 2}]
    problem = peer.create({"userId": "someone", "items": items})

    assert (problem["status"], problem["type"]) == (409, "insufficient-stock")
    assert (peer.stock(plenty), peer.stock(short)) == (5, 1)
    assert peer.orders.count_documents({"items.productId": plenty}) == 0


def test_an_order_for_a_deleted_product_is_refused(peer: Peer) -> None:
    product_id = peer.bring(5)
    peer.tell("product_events", product_id, {"productId": product_id, "type": "product.deleted"})
    until(lambda: peer.stock(product_id) is None)
    assert peer.create({"userId": "someone", "productId": product_id, "quantity": 1})["type"] == "unknown-product"


def test_a_customer_who_wants_no_notifications_is_refused(peer: Peer) -> None:
    product_id, user_id = peer.bring(5), peer.log_in(preferences={"notifications": {"orders": False}})
    problem = peer.create({"userId": user_id, "productId": product_id, "quantity": 1})
    assert (problem["type"], peer.stock(product_id)) == ("notifications-off", 5)


def test_an_order_that_is_not_valid_is_refused_with_pointers(peer: Peer) -> None:
    items = [{"productId": "a", "quantity": True}, {"productId": "b", "quantity": 1, "unitPrice": "0.00001"}]
    status, problem = peer.call("POST", "/order/create", {"userId": "someone", "items": items})
    assert (status, problem["type"]) == (422, "invalid-order")
    assert [error["pointer"] for error in problem["errors"]] == ["/items/0/quantity", "/items/1/unitPrice"]


def test_twenty_creates_at_once_share_out_five_units(peer: Peer) -> None:
    product_id = peer.bring(5)
    body = {"userId": "someone", "productId": product_id, "quantity": 1}
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(peer.create, [body] * 20))

    created = {answer["orderId"] for answer in answers if "orderId" in answer}
    assert len(created) == 5
    assert sum(answer.get("type") == "insufficient-stock" for answer in answers) == 15
    assert peer.stock(product_id) == 0
    assert {order["_id"] for order in peer.orders.find({"items.productId": product_id})} == created
    announced = [value(message)["orderId"] for message in read(peer.bootstrap, "order_created")]
    assert sorted(order_id for order_id in announced if order_id in created) == sorted(created)
