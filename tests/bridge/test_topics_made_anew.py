"""`product_events` deleted and made anew: offsets begin at 0 again, and everything in the new topic is read."""

from collections.abc import Callable

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from tasks.topics import PARTITIONS
from tests.processes import Service, eventually
from tests.topics import Topics

Products = Callable[[int], list[str]]


@pytest.fixture
def products(unique: Callable[[str], str]) -> Products:
    return lambda count: [unique("product") for _ in range(count)]


def send(own: Service, products: list[str], units: int) -> None:
    messages = [({"productId": each, "stock": units}, each) for each in products]
    Topics(own.servers.kafka.bootstrap).send_all("product_events", messages)


def arrive(own: Service, products: list[str], units: int) -> None:
    redis = own.servers.redis_client()
    keys = [f"product:{each}:stock" for each in products]
    eventually(lambda: redis.mget(keys) == [str(units)] * len(keys), within=40)


def make_anew(own: Service) -> None:
    admin = AdminClient({"bootstrap.servers": own.servers.kafka.bootstrap})
    admin.delete_topics(["product_events"], operation_timeout=10)["product_events"].result()
    eventually(lambda: "product_events" not in admin.list_topics(timeout=5).topics)
    own.servers.make_topics()


def test_while_the_bridge_is_stopped(own: Service, products: Products) -> None:
    known = products(100)
    send(own, known, units=1)
    arrive(own, known, units=1)
    own.children["bridge"].stop()

    make_anew(own)
    send(own, known, units=2)
    own.bridge()

    arrive(own, known, units=2)


def test_while_the_bridge_runs(own: Service, products: Products) -> None:
    known, new = products(100), products(400)
    send(own, known, units=1)
    arrive(own, known, units=1)

    make_anew(own)
    # More than it has read of the old topic: a bridge that kept its offsets would not even notice.
    send(own, [*known, *new], units=2)

    arrive(own, [*known, *new], units=2)


def test_an_offset_committed_for_the_old_topic_after_it_was_gone_is_not_believed(
    own: Service, products: Products
) -> None:
    first, anew = products(100), products(1200)
    send(own, first, units=1)
    arrive(own, first, units=1)
    own.children["bridge"].stop()
    slow = Consumer({"bootstrap.servers": own.servers.kafka.bootstrap, "group.id": "order-service"})
    committed = slow.committed([TopicPartition("product_events", each) for each in range(PARTITIONS)], 10)
    assert all(0 < each.offset < len(anew) / PARTITIONS for each in committed)

    make_anew(own)
    slow.commit(offsets=committed, asynchronous=False)
    slow.close()
    send(own, anew, units=1)
    own.bridge()

    arrive(own, anew, units=1)
