"""The peers have a Kafka of their own: the service of the run would answer their log-ins too."""

from collections.abc import Iterator

import pytest

from local.servers import KafkaBroker


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    server = KafkaBroker(tmp_path_factory.mktemp("peers") / "kafka")
    server.start()
    yield server
    server.stop()
