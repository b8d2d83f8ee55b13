"""Orders a second, from the first POST until all are stored and on Kafka: the service and its peers in turns.

`python -m bench.throughput [--seconds 8] [--runs 3] [--connections 64]`. Each run has servers and data of its own, with
the settings of the local stack (`appendfsync always`), and is checked: every accepted order is stored once and on Kafka
once, and the stock adds up. Only the ratios between runs of one machine and one hour mean anything.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pymongo
import redis
from confluent_kafka import Consumer, TopicPartition

from bench.load import PRODUCTS, Posted, post_orders
from bench.peer_processes import COMMANDS, SERVICE, running, why_not_here
from local.ports import free_port
from local.servers import KafkaBroker, Mongod, RedisServer
from tasks.topics import make_topics

UNITS = 1_000_000
FINISH_SECONDS = 120.0


@dataclass
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
            "LOG_LEVEL": "WARNING",
        }


@contextmanager
def servers(folder: Path) -> Iterator[Servers]:
    """Have fresh servers until the end of the block."""
    found = Servers(RedisServer(folder / "redis"), Mongod(folder / "mongod"), KafkaBroker(folder / "kafka"))
    every = (found.redis_server, found.mongod, found.kafka)
    try:
        for server in every:
            server.launch()
        for server in every:
            server.wait_until_ready()
        make_topics(found.kafka.bootstrap)
        yield found
    finally:
        for server in every:
            server.stop()


def measure(name: str, connections: int, seconds: float) -> float:
    """Run one contestant; return its orders a second.

    Raises
    ------
    AssertionError
        where an order was lost or doubled, or the stock does not add up.

    """
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, servers(Path(folder)) as found:
        client = redis.Redis(port=found.redis_server.port, decode_responses=True)
        client.mset({f"product:product-{number}:stock": UNITS for number in range(PRODUCTS)})
        logs = Path(folder) / "logs"
        logs.mkdir()
        port = free_port()
        with running(name, port, found.variables(), logs), _announcements(found.kafka.bootstrap) as announced:
            post_orders(port, 8, 1.0)  # warm: connections, code, the broker's metadata
            began = time.monotonic()
            posted = post_orders(port, connections, seconds)
            _wait_for(posted, announced)
            took = time.monotonic() - began
            _check(posted, announced, found, client)
        return len(posted.order_ids) / took


class Announcements:
    """How often each order is on `order_created`."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self.times: Counter[str] = Counter()

    def read(self, seconds: float) -> None:
        """Read what has come, waiting so long for the first."""
        for message in self._consumer.consume(10_000, seconds):
            if message.error() is None:
                self.times[(message.key() or b"").decode()] += 1


@contextmanager
def _announcements(bootstrap: str) -> Iterator[Announcements]:
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "bench", "enable.auto.commit": False, "fetch.wait.max.ms": 20}
    )
    partitions = consumer.list_topics("order_created", timeout=10).topics["order_created"].partitions
    consumer.assign([TopicPartition("order_created", partition, 0) for partition in partitions])
    try:
        yield Announcements(consumer)
    finally:
        consumer.close()


def _wait_for(posted: Posted, announced: Announcements) -> None:
    deadline = time.monotonic() + FINISH_SECONDS
    missing = set(posted.order_ids)
    while missing:
        announced.read(0.02)
        missing -= announced.times.keys()
        assert time.monotonic() < deadline, f"{len(missing)} orders are not on Kafka after {FINISH_SECONDS:.0f} s"


def _check(posted: Posted, announced: Announcements, found: Servers, client: "redis.Redis") -> None:
    assert not posted.refused, f"refused: {posted.refused}"
    announced.read(1.0)
    doubled = [order_id for order_id, times in announced.times.items() if times > 1]
    assert not doubled, f"{len(doubled)} orders were announced more than once"
    mongo: pymongo.MongoClient[dict[str, object]]
    with pymongo.MongoClient(found.mongod.uri) as mongo:
        stored = mongo["orders"]["orders"].count_documents({})
    assert stored == len(announced.times), f"{stored} orders are stored, {len(announced.times)} announced"
    levels = client.mget([f"product:product-{number}:stock" for number in range(PRODUCTS)])
    taken = PRODUCTS * UNITS - sum(int(level) for level in levels if level is not None)
    assert taken == stored, f"{taken} units were taken for {stored} orders of one unit"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run them all, alternating, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.throughput", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8.0, help="how long orders are posted in each run")
    parser.add_argument("--runs", type=int, default=3, help="runs of each contestant")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("contestants", nargs="*", default=list(COMMANDS), help=", ".join(COMMANDS))
    chosen = parser.parse_args(arguments)
    names = []
    for name in chosen.contestants:
        if reason := why_not_here(name):
            print(reason, file=sys.stderr)
        else:
            names.append(name)
    figures: dict[str, list[float]] = {name: [] for name in names}
    for run in range(chosen.runs):
        for name in names:
            figures[name].append(measure(name, chosen.connections, chosen.seconds))
            print(f"run {run + 1}: {name:10} {figures[name][-1]:8.0f} orders/s", flush=True)
    ours = statistics.median(figures[SERVICE]) if SERVICE in figures else None
    print("\n| | median orders/s | lowest | highest | service against it |\n|---|---|---|---|---|")
    for name, found in figures.items():
        middle = statistics.median(found)
        ratio = f"{ours / middle:.2f}" if ours else ""
        print(f"| {name} | {middle:.0f} | {min(found):.0f} | {max(found):.0f} | {ratio} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
