"""Fixtures: three real servers for the whole run, one whole service on them, and what talks to it."""

import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pymongo
import pytest
import redis

from local.servers import KafkaBroker, Mongod, RedisServer
from tests.client import Client
from tests.processes import Servers, Service, eventually, mongo_client, service
from tests.topics import Topics

# A machine that runs servers beside the tests is too noisy for a time limit per example.
hypothesis.settings.register_profile("service", deadline=None, max_examples=50, stateful_step_count=30)
hypothesis.settings.load_profile("service")

# A script's background jobs ignore it, and so would the programs that are started here to be interrupted.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def server_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="session")
def redis_server(server_folder: Path) -> Iterator[RedisServer]:
    server = RedisServer(server_folder / "redis")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def mongod(server_folder: Path) -> Iterator[Mongod]:
    server = Mongod(server_folder / "mongod")
    server.start()
    yield server
    mongo_client(server.uri).close()
    server.stop()


@pytest.fixture(scope="session")
def kafka(server_folder: Path) -> Iterator[KafkaBroker]:
    server = KafkaBroker(server_folder / "kafka")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def servers(redis_server: RedisServer, mongod: Mongod, kafka: KafkaBroker) -> Servers:
    """The shared servers; the whole service of the run uses database 0 and `orders` of them."""
    return Servers(redis_server, mongod, kafka)


@pytest.fixture(scope="session")
def shop(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One whole service for the run: api, a worker per queue, beat, bridge. Tests never stop any of it."""
    with service(servers, tmp_path_factory.mktemp("shop")) as running:
        yield running.whole()


@pytest.fixture
def api(shop: Service) -> Client:
    return Client(shop.url)


@pytest.fixture(scope="session")
def topics(kafka: KafkaBroker) -> Topics:
    return Topics(kafka.bootstrap)


@pytest.fixture
def redis_client(servers: Servers) -> "redis.Redis":
    return servers.redis_client()


@pytest.fixture
def orders(servers: Servers) -> "pymongo.collection.Collection[dict[str, object]]":
    return servers.orders()


@pytest.fixture
def unique() -> Callable[[str], str]:
    """Return ids that no other test uses: `unique("user")`."""
    return lambda name: f"{name}-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def stocked(topics: Topics, redis_client: "redis.Redis", unique: Callable[[str], str]) -> Callable[[int], str]:
    """Return how to have a new product with so many units, brought by a real stock level."""

    def product(units: int) -> str:
        product_id = unique("product")
        topics.level(product_id, units)
        eventually(lambda: redis_client.get(f"product:{product_id}:stock") == str(units))
        return product_id

    return product
