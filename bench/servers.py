"""The three servers of a run, with the settings of the local stack (`appendfsync always`)."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.topic_log import stamp_arrivals
from local.servers import KafkaBroker, Mongod, RedisServer, Server
from tasks.topics import OUTGOING, make_topics


@dataclass(frozen=True)
class Servers:
    """The three servers of one run."""

    redis_server: RedisServer
    mongod: Mongod
    kafka: KafkaBroker

    def variables(self) -> dict[str, str]:
        """Return what a contestant is told."""
        return {
            "MONGO_URI": self.mongod.uri,
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(self.redis_server.port),
            "KAFKA_BROKER": self.kafka.bootstrap,
        }

    def pids(self) -> dict[str, int]:
        """Return the processes, by the server's name."""
        every = (self.redis_server, self.mongod, self.kafka)
        return {server.name: server.pid for server in every}


@contextmanager
def servers(folder: Path) -> Iterator[Servers]:
    """Have servers until the end of the block, on whatever data the folder has."""
    found = Servers(RedisServer(folder / "redis"), Mongod(folder / "mongod"), KafkaBroker(folder / "kafka"))
    every = (found.redis_server, found.mongod, found.kafka)
    try:
        for server in every:
            server.launch()
        for server in every:
            server.wait_until_ready()
        make_topics(found.kafka.bootstrap)
        stamp_arrivals(found.kafka.bootstrap, list(OUTGOING))
        yield found
    finally:
        with ThreadPoolExecutor() as pool:
            list(pool.map(Server.stop, every))
