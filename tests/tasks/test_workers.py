"""Workers under what happens to workers: races for the last units, repeats, kills, stops, dead servers."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from local.ports import free_port
from local.processes import Child
from local.servers import KafkaBroker, Mongod, RedisServer
from models.ids import new_id
from models.writes import Write
from tasks.accept import Submission, accept
from tests.client import Client
from tests.processes import BIN, REPOSITORY, Servers, Service, eventually, service
from tests.topics import Topics, headers, value

SECRET_STREET = "Rosenweg 7b"
SECRET_NOTE = "ring twice"
KEPT = {"api", "beat", "bridge", "flower", "worker-publish"}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Servers that these tests may stop and freeze."""
    folder = tmp_path_factory.mktemp("own")
    found = Servers(RedisServer(folder / "redis"), Mongod(folder / "mongod"), KafkaBroker(folder / "kafka"))
    for server in (found.redis_server, found.mongod, found.kafka):
        server.start()
    yield found
    for server in (found.redis_server, found.mongod, found.kafka):
        server.stop()


@pytest.fixture(scope="module")
def running(own: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """All but the workers of orders; each test starts the ones it needs."""
    with service(own, tmp_path_factory.mktemp("running")) as started:
        started.api()
        started.beat()
        started.bridge()
        started.worker("publish")
        yield started


@pytest.fixture(autouse=True)
def as_before(running: Service, own: Servers) -> Iterator[None]:
    """Leave no worker of orders behind, no order waiting, and no server frozen, however the test ended."""
    yield
    for server in (own.redis_server, own.mongod, own.kafka):
        server.resume()
    stop(running, *(name.removeprefix("worker-") for name in running.children if name not in KEPT))
    own.redis_client().delete("orders", "unacked", "unacked_index")


@pytest.fixture
def client(running: Service) -> Client:
    return Client(running.url)


@pytest.fixture
def outside(own: Servers) -> Topics:
    return Topics(own.kafka.bootstrap)


@pytest.fixture
def product(own: Servers, unique: Callable[[str], str]) -> Callable[[int], str]:
    def with_stock(units: int) -> str:
        product_id = unique("product")
        own.redis_client().set(f"product:{product_id}:stock", units)
        return product_id

    return with_stock


def an_order(product: str, quantity: int = 1, **more: Any) -> dict[str, Any]:
    return {"userId": "user-1", "productId": product, "quantity": quantity, **more}


def a_note(own: Servers, order_id: str, note: str) -> str:
    """Accept an update as the API does, which would first look for the order in MongoDB."""
    task_id = new_id()
    write = Write(task_id, order_id, "update", {"note": note}, datetime.now(UTC))
    assert accept(own.redis_client(), Submission(write, exists=True)).verdict == "accepted"
    return task_id


def stop(running: Service, *names: str) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(Child.stop, [running.children[f"worker-{name}"] for name in names]))


def ids_on(outside: Topics, topic: str, keys: set[str]) -> list[str]:
    with outside.reader(topic) as reader:
        return [headers(message)["ce_id"] for message in reader.drain() if (message.key() or b"").decode() in keys]


def test_two_workers_sell_ten_units_to_ten_of_a_hundred(
    running: Service, client: Client, own: Servers, outside: Topics, product: Callable[[int], str]
) -> None:
    wanted = product(10)
    running.worker("orders", "one")
    running.worker("orders", "two")

    accepted = [client.accepted("POST", "/order/create", an_order(wanted))["taskId"] for _ in range(100)]
    ended = [client.ended(task_id) for task_id in accepted]

    created = {task["orderId"] for task in ended if task["outcome"] == "created"}
    refused = [task for task in ended if task["outcome"] == "rejected"]
    assert len(created) == 10
    assert [task["problem"]["type"] for task in refused] == ["insufficient-stock"] * 90
    assert own.redis_client().get(f"product:{wanted}:stock") == "0"
    assert own.orders().count_documents({"items.productId": wanted}) == 10
    assert sorted(ids_on(outside, "order_created", set(accepted))) == sorted(f"{order}:1" for order in created)


def test_a_message_that_is_in_the_queue_twice_takes_effect_once(
    running: Service, client: Client, own: Servers, outside: Topics, product: Callable[[int], str]
) -> None:
    wanted = product(10)
    redis = own.redis_client()
    order_id = client.accepted("POST", "/order/create", an_order(wanted, 3))["orderId"]
    redis.lpush("orders", *redis.lrange("orders", 0, -1))

    running.worker("orders", "one")
    running.worker("orders", "two")
    client.ended(order_id)
    eventually(lambda: redis.llen("orders") == 0 and redis.hlen("unacked") == 0)

    assert redis.get(f"product:{wanted}:stock") == "7"
    stored: Any = own.orders().find_one({"_id": order_id})
    assert len(stored["timeline"]) == 1
    assert set(ids_on(outside, "order_created", {order_id})) == {f"{order_id}:1"}


def test_a_killed_worker_s_orders_are_done_by_another(
    running: Service, client: Client, own: Servers, product: Callable[[int], str]
) -> None:
    wanted = product(1000)
    doomed = running.worker("orders", "doomed")
    own.mongod.pause()  # so that it dies with orders in hand
    accepted = [client.accepted("POST", "/order/create", an_order(wanted))["taskId"] for _ in range(60)]

    doomed.kill()
    own.mongod.resume()
    running.worker("orders", "heir")

    assert {client.ended(task_id, within=30)["outcome"] for task_id in accepted} == {"created"}
    assert own.redis_client().get(f"product:{wanted}:stock") == "940"


def test_term_lets_a_worker_end_what_it_has_in_hand(
    running: Service, client: Client, own: Servers, product: Callable[[int], str]
) -> None:
    wanted = product(1000)
    leaving = running.worker("orders", "leaving")
    accepted = [client.accepted("POST", "/order/create", an_order(wanted))["taskId"] for _ in range(60)]

    leaving.stop(grace=30)

    assert leaving.exit_code == 0
    running.worker("orders", "next")
    assert {client.ended(task_id, within=30)["outcome"] for task_id in accepted} == {"created"}
    assert own.redis_client().get(f"product:{wanted}:stock") == "940"


def test_term_ends_a_worker_that_waits_for_a_dead_server_and_its_orders_are_done_by_another(
    running: Service, client: Client, own: Servers, product: Callable[[int], str]
) -> None:
    wanted = product(1000)
    stuck = running.worker("orders", "stuck")
    own.mongod.pause()
    accepted = [client.accepted("POST", "/order/create", an_order(wanted))["taskId"] for _ in range(60)]
    eventually(lambda: "waiting for a server" in stuck.log.read_text())

    began = time.monotonic()
    stuck.stop(grace=30)

    assert time.monotonic() - began < 10
    assert stuck.exit_code == 0
    own.mongod.resume()
    running.worker("orders", "next")
    assert {client.ended(task_id, within=30)["outcome"] for task_id in accepted} == {"created"}
    assert own.redis_client().get(f"product:{wanted}:stock") == "940"


def test_orders_go_on_without_kafka_and_their_events_follow_in_order(
    running: Service, client: Client, own: Servers, outside: Topics, product: Callable[[int], str]
) -> None:
    wanted = product(100)
    running.worker("orders", "one")
    own.kafka.pause()
    orders = [client.create("user-1", {"productId": wanted, "quantity": 1})["orderId"] for _ in range(3)]
    for order_id in orders:
        assert client.write("PUT", f"/order/{order_id}", {"note": "wrap it"})["outcome"] == "updated"

    own.kafka.resume()

    eventually(
        lambda: own.orders().count_documents({"_id": {"$in": orders}, "outbox.id": {"$exists": True}}) == 0, within=40
    )
    assert set(ids_on(outside, "order_created", set(orders))) == {f"{order}:1" for order in orders}
    assert set(ids_on(outside, "order_updated", set(orders))) == {f"{order}:2" for order in orders}


def test_writes_wait_for_a_dead_mongodb_and_redis_and_never_fail(
    running: Service, client: Client, own: Servers, product: Callable[[int], str]
) -> None:
    wanted = product(100)
    running.worker("orders", "one")
    first = client.accepted("POST", "/order/create", an_order(wanted))["taskId"]
    client.ended(first)
    own.mongod.kill()
    accepted = [client.accepted("POST", "/order/create", an_order(wanted))["taskId"] for _ in range(5)]
    eventually(lambda: "waiting for a server" in running.children["worker-one"].log.read_text())
    own.redis_server.kill()
    own.redis_server.start()
    own.mongod.start()

    assert [client.ended(task_id, within=60)["outcome"] for task_id in accepted] == ["created"] * 5
    assert own.redis_client().get(f"product:{wanted}:stock") == "94"


def test_operators_see_ids_and_never_what_a_customer_wrote(
    running: Service, client: Client, own: Servers, product: Callable[[int], str]
) -> None:
    wanted = product(100)
    worker = running.worker("orders", "watched")
    port = free_port()
    flower = running.start(
        "flower", "celery", "-A", "tasks", "flower", "--address=127.0.0.1", f"--port={port}", "--basic_auth=o:p"
    )
    eventually(lambda: _flower(port, "/api/workers").ok, within=30)
    own.mongod.pause()
    body = an_order(wanted, shippingAddress={"street": SECRET_STREET}, note=SECRET_NOTE)
    task_id = client.accepted("POST", "/order/create", body)["taskId"]

    active = eventually(lambda: _inspect(running, "active"))
    own.mongod.resume()
    client.ended(task_id)
    seen = eventually(lambda: _flower(port, f"/api/task/info/{task_id}").text)

    assert task_id in active
    assert task_id in seen
    for text in (active, seen, worker.log.read_text(), flower.log.read_text(), running.children["api"].log.read_text()):
        assert SECRET_STREET not in text
        assert SECRET_NOTE not in text
    # Flower asks Redis for these by itself, from the broker's URL.
    queues = _flower(port, "/api/queues/length").json()["active_queues"]
    assert {queue["name"]: queue["messages"] for queue in queues}["orders"] == 0
    flower.stop()


def test_a_revoked_write_ends_revoked_and_lets_the_next_one_go(
    running: Service, client: Client, own: Servers, product: Callable[[int], str]
) -> None:
    wanted = product(100)
    running.worker("orders", "one")
    order_id = client.create("user-1", {"productId": wanted, "quantity": 1})["orderId"]
    own.mongod.pause()
    for _ in range(2):  # each keeps one of the worker's processes
        held_up = client.accepted("POST", "/order/create", an_order(wanted))["taskId"]
        eventually(partial(_is_active, running, held_up))
    revoked, following = (a_note(own, order_id, note) for note in ("first", "second"))
    eventually(lambda: any(revoked in message for message in own.redis_client().hvals("unacked")))

    _control(running, "revoke", revoked)
    own.mongod.resume()

    assert client.ended(revoked)["state"] == "REVOKED"
    assert client.ended(following)["outcome"] == "updated"
    assert client.get(f"/orders/{order_id}").json()["note"] == "second"


def test_a_users_orders_are_published_once_more_with_the_same_id(
    running: Service, client: Client, own: Servers, outside: Topics, unique: Callable[[str], str]
) -> None:
    user = unique("user")
    redis = own.redis_client()
    stop(running, "publish")
    assert client.get(f"/order/{user}").json() == []
    eventually(lambda: redis.llen("publish") > 0)
    redis.lpush("publish", *redis.lrange("publish", 0, -1))
    running.worker("publish")

    with outside.reader("user_orders") as reader:
        twice = reader.wait_for(2, key=user)

    assert len({headers(message)["ce_id"] for message in twice}) == 1
    assert value(twice[0]) == value(twice[1])
    assert value(twice[0])["reason"] == "request"


def _flower(port: int, path: str) -> requests.Response:
    try:
        return requests.get(f"http://127.0.0.1:{port}{path}", auth=("o", "p"), timeout=5)
    except requests.ConnectionError:
        missing = requests.Response()
        missing.status_code = 503
        return missing


def _is_active(running: Service, task_id: str) -> bool:
    return task_id in _inspect(running, "active")


def _inspect(running: Service, what: str) -> str:
    """Return what `celery inspect` tells of tasks, empty where there is none."""
    done = _celery(running, "inspect", what, "--json", "--timeout", "5")
    return done.stdout if any(json.loads(done.stdout or "{}").values()) else ""


def _control(running: Service, *words: str) -> None:
    done = _celery(running, "control", *words)
    assert done.returncode == 0, done.stderr


def _celery(running: Service, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(BIN) / "celery"), "-A", "tasks", *words]
    return subprocess.run(
        command, cwd=REPOSITORY, env=running.environment(), capture_output=True, text=True, timeout=30, check=False
    )
