"""The bridge killed, doubled, stopped, without Redis, and with a topic that was deleted and made anew."""

from collections.abc import Callable, Iterator

import pytest
from confluent_kafka.admin import AdminClient

from local.servers import KafkaBroker, RedisServer
from tests.processes import Servers, Service, eventually, service
from tests.topics import Topics

COUNT = 1_000


@pytest.fixture(scope="module")
def own(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A bridge's world: a Redis and a Kafka of its own, and a worker for stock levels."""
    folder = tmp_path_factory.mktemp("bridge")
    mine = Servers(RedisServer(folder / "redis"), servers.mongod, KafkaBroker(folder / "kafka"))
    mine.redis_server.start()
    mine.kafka.start()
    with service(mine, folder / "logs", WORKER_CONCURRENCY="1") as running:
        running.worker("stock")
        running.bridge()
        yield running
    mine.redis_server.stop()
    mine.kafka.stop()


@pytest.fixture
def levels(own: Service, unique: Callable[[str], str]) -> "Callable[[int], list[str]]":
    """Send levels of so many new products at once; return their ids."""
    topics = Topics(own.servers.kafka.bootstrap)

    def send(count: int) -> list[str]:
        products = [unique("product") for _ in range(count)]
        topics.send_all("product_events", [({"productId": each, "stock": 5}, each) for each in products])
        return products

    return send


def all_there(own: Service, products: list[str]) -> Callable[[], bool]:
    redis = own.servers.redis_client()
    return lambda: redis.exists(*(f"product:{each}:stock" for each in products)) == len(products)


def test_a_killed_bridge_goes_on_where_it_was(own: Service, levels: "Callable[[int], list[str]]") -> None:
    products = levels(COUNT)
    own.children["bridge"].kill()
    products += levels(COUNT)

    own.bridge()

    eventually(all_there(own, products), within=60)


def test_a_second_bridge_may_join_and_leave(own: Service, levels: "Callable[[int], list[str]]") -> None:
    products = levels(COUNT)
    second = own.bridge("second")
    products += levels(COUNT)
    second.stop()
    products += levels(100)

    eventually(all_there(own, products), within=60)
    assert second.exit_code == 0


def test_levels_wait_in_kafka_while_redis_is_away(own: Service, levels: "Callable[[int], list[str]]") -> None:
    own.servers.redis_server.kill()
    products = levels(500)
    eventually(lambda: "holding" in own.children["bridge"].log.read_text())

    own.servers.redis_server.start()

    eventually(all_there(own, products), within=60)


def test_term_ends_it_and_a_restart_reads_nothing_twice(own: Service, levels: "Callable[[int], list[str]]") -> None:
    eventually(all_there(own, levels(100)), within=60)
    own.children["bridge"].stop(grace=10)
    assert own.children["bridge"].exit_code == 0
    own.children["worker-stock"].stop()

    own.bridge()
    marker = levels(1)[0]
    redis = own.servers.redis_client()
    eventually(lambda: any(marker in message for message in redis.lrange("stock", 0, -1)) or redis.llen("stock") > 0)

    assert redis.llen("stock") == 1
    own.worker("stock")


@pytest.mark.parametrize("running", [True, False], ids=["while it runs", "while it is stopped"])
def test_a_topic_made_anew_is_read_from_its_beginning(
    own: Service, levels: "Callable[[int], list[str]]", running: bool
) -> None:
    eventually(all_there(own, levels(COUNT)), within=60)
    if not running:
        own.children["bridge"].stop()
    admin = AdminClient({"bootstrap.servers": own.servers.kafka.bootstrap})
    admin.delete_topics(["product_events"], operation_timeout=10)["product_events"].result()
    eventually(lambda: "product_events" not in admin.list_topics(timeout=5).topics)

    if running:
        own.servers.make_topics()
    else:
        own.bridge()
    products = levels(COUNT * 2)

    eventually(all_there(own, products), within=60)
