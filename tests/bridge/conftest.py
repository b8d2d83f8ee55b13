"""A world of the bridge's own, in which everything may be killed, stopped and deleted."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.servers import KafkaBroker, RedisServer
from tests.processes import Servers, Service, eventually, service


@pytest.fixture(scope="package")
def heartbeat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that the bridge touches once a round."""
    return tmp_path_factory.mktemp("heartbeat") / "bridge"


@pytest.fixture(scope="package")
def own(servers: Servers, heartbeat: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A Redis and a Kafka of its own, a worker for stock levels, and a bridge that was there before Kafka."""
    folder = tmp_path_factory.mktemp("bridge")
    mine = Servers(RedisServer(folder / "redis"), servers.mongod, KafkaBroker(folder / "kafka"))
    try:
        mine.redis_server.start()
        with service(mine, folder / "logs", HEARTBEAT_FILE=str(heartbeat)) as running:
            early = [running.start(name, "python", "-m", "bridge") for name in ("bridge", "unlucky")]
            running.worker("stock", "", "--pool", "solo")
            eventually(lambda: all("waiting: Kafka does not answer" in each.log.read_text() for each in early))
            running.children["unlucky"].stop(grace=10)
            mine.kafka.start()
            eventually(lambda: "reads " in running.children["bridge"].log.read_text(), within=40)
            yield running
    finally:
        mine.redis_server.stop()
        mine.kafka.stop()
