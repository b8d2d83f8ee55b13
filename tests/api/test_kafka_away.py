"""Kafka hung or stopped: orders are accepted and created all the same, and told of when it is back."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from local.servers import KafkaBroker
from tasks.topics import make_topics
from tests.api.contract import json_of
from tests.client import Client
from tests.processes import Servers, Service, service
from tests.topics import Topics, headers

ORDER = {"userId": "someone", "productId": "plenty", "quantity": 1}


@pytest.fixture(scope="module")
def own(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An API and a worker on a Kafka of their own."""
    folder = tmp_path_factory.mktemp("kafka-away")
    kafka = KafkaBroker(folder / "kafka")
    mine = Servers(servers.redis_server, servers.mongod, kafka, database="kafka_away", redis_db=13)
    mine.redis_client().set("product:plenty:stock", 1_000_000)
    with service(mine, folder) as running, ThreadPoolExecutor() as pool:
        ready: list[Future[Any]] = [pool.submit(kafka.start), pool.submit(running.api)]
        for started in [*ready, pool.submit(running.worker, "orders")]:
            started.result()
        make_topics(kafka.bootstrap)
        yield running
    kafka.stop()


@pytest.fixture
def api(own: Service) -> Client:
    return Client(own.url)


def test_an_order_is_created_while_kafka_hangs_and_told_of_when_it_goes_on(own: Service, api: Client) -> None:
    kafka = own.servers.kafka
    api.create("someone", {"productId": "plenty", "quantity": 1})  # the worker knows Kafka from now on
    kafka.pause()
    try:
        created = api.ended(api.accepted("POST", "/order/create", ORDER)["taskId"], within=4)
        listed = json_of(api.get("/order/someone"))
        ready = api.get("/readyz")
    finally:
        kafka.resume()

    assert (created["state"], created["outcome"]) == ("SUCCESS", "created")
    assert created["order"] in listed
    assert json_of(ready)["status"] == "ok"
    with Topics(kafka.bootstrap).reader("order_created") as reader:
        (message,) = reader.wait_for(1, key=created["orderId"], within=45)
    assert headers(message)["ce_id"] == f"{created['orderId']}:1"


def test_an_order_is_created_changed_and_deleted_while_kafka_is_stopped(own: Service, api: Client) -> None:
    own.servers.kafka.stop()

    created = api.write("POST", "/order/create", ORDER)
    updated = api.write("PUT", f"/order/{created['orderId']}", {"status": "processing"})
    deleted = api.write("DELETE", f"/order/{created['orderId']}")

    assert [task["outcome"] for task in (created, updated, deleted)] == ["created", "updated", "deleted"]
    tombstone = own.servers.orders().find_one({"_id": created["orderId"]})
    assert tombstone is not None
    assert len(list(tombstone["outbox"])) == 3  # type: ignore[call-overload]
