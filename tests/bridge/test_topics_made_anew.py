"""`product_events` deleted and made anew: offsets begin at 0 again, and everything in the new topic is read."""

from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from local.servers import KafkaBroker, RedisServer
from tasks.topics import PARTITIONS
from tests.processes import Servers, Service, eventually, service
from tests.topics import Topics

FEW, MORE = 300, 900


@pytest.fixture(scope="module")
def own(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A Redis and a Kafka of its own, a bridge and a worker for stock levels."""
    folder = tmp_path_factory.mktemp("anew")
    mine = Servers(RedisServer(folder / "redis"), servers.mongod, KafkaBroker(folder / "kafka"))
    mine.redis_server.start()
    mine.kafka.start()
    with service(mine, folder / "logs") as running:
        running.bridge()
        running.worker("stock", "", "--pool", "solo")
        yield running
    mine.redis_server.stop()
    mine.kafka.stop()


@pytest.fixture
def products(unique: Callable[[str], str]) -> list[str]:
    return [unique("product") for _ in range(MORE)]


def send(own: Service, products: list[str], units: int) -> None:
    messages = [({"productId": each, "stock": units}, each) for each in products]
    Topics(own.servers.kafka.bootstrap).send_all("product_events", messages)


def arrive(own: Service, products: list[str], units: int) -> bool:
    redis = own.servers.redis_client()
    keys = [f"product:{each}:stock" for each in products]
    return bool(eventually(lambda: redis.mget(keys) == [str(units)] * len(keys), within=40))


def make_anew(own: Service) -> None:
    admin = AdminClient({"bootstrap.servers": own.servers.kafka.bootstrap})
    admin.delete_topics(["product_events"], operation_timeout=10)["product_events"].result()
    eventually(lambda: "product_events" not in admin.list_topics(timeout=5).topics)
    own.servers.make_topics()


def test_while_the_bridge_runs(own: Service, products: list[str]) -> None:
    send(own, products[:FEW], 1)
    assert arrive(own, products[:FEW], 1)

    make_anew(own)
    # More than it had read of the old one: a bridge that kept its offsets would not even notice.
    send(own, products, 2)

    assert arrive(own, products, 2)


def test_while_the_bridge_is_stopped(own: Service, products: list[str]) -> None:
    send(own, products[:FEW], 1)
    assert arrive(own, products[:FEW], 1)
    own.children["bridge"].stop()

    make_anew(own)
    send(own, products, 2)
    own.bridge()

    assert arrive(own, products, 2)


def test_an_offset_committed_for_the_old_topic_after_it_was_gone_is_not_believed(
    own: Service, products: list[str]
) -> None:
    send(own, products[:FEW], 1)
    assert arrive(own, products[:FEW], 1)
    own.children["bridge"].stop()
    slow = Consumer({"bootstrap.servers": own.servers.kafka.bootstrap, "group.id": "order-service"})
    partitions = [TopicPartition("product_events", partition) for partition in range(PARTITIONS)]
    committed = slow.committed(partitions, 10)
    assert all(each.offset > 0 for each in committed)

    make_anew(own)
    slow.commit(offsets=committed, asynchronous=False)
    slow.close()
    send(own, products, 2)
    own.bridge()

    assert arrive(own, products, 2)
