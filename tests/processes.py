"""The service's own processes, started for tests as an operator would start them."""

import atexit
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import TypeVar

import pymongo
import redis
import requests

from local.ports import free_port
from local.processes import Child
from local.servers import KafkaBroker, Mongod, RedisServer
from tasks.topics import make_topics

REPOSITORY = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
T = TypeVar("T")


def eventually(look: Callable[[], T], *, within: float = 20.0, every: float = 0.02) -> T:
    """Return the first truthy value of `look`; fail the test where none comes within so many seconds."""
    deadline = time.monotonic() + within
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"did not become true within {within:g} s; last seen: {found!r}"
        time.sleep(every)


@cache
def mongo_client(uri: str) -> "pymongo.MongoClient[dict[str, object]]":
    """Return the run's one client of this MongoDB; it is closed when Python ends."""
    client: pymongo.MongoClient[dict[str, object]] = pymongo.MongoClient(
        uri, tz_aware=True, serverSelectionTimeoutMS=2000
    )
    atexit.register(client.close)
    return client


@dataclass
class Servers:
    """The three servers that one service uses."""

    redis_server: RedisServer
    mongod: Mongod
    kafka: KafkaBroker
    database: str = "orders"
    redis_db: int = 0

    def environment(self) -> dict[str, str]:
        """Return the service's settings for these servers, with the waiting times of a test."""
        uri = self.mongod.uri.replace("/orders", f"/{self.database}")
        return {
            "MONGO_URI": uri,
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(self.redis_server.port),
            "REDIS_DB": str(self.redis_db),
            "KAFKA_BROKER": self.kafka.bootstrap,
            "VISIBILITY_TIMEOUT": "3",
            "OUTBOX_SWEEP_SECONDS": "1",
        }

    def make_topics(self) -> None:
        """Make the topics that are missing."""
        make_topics(self.kafka.bootstrap)

    def redis_client(self) -> "redis.Redis":
        """Return a client of one's own, as any other program would use."""
        return redis.Redis(port=self.redis_server.port, db=self.redis_db, decode_responses=True)

    def orders(self) -> "pymongo.collection.Collection[dict[str, object]]":
        """Return the collection of orders, through a client of one's own."""
        return mongo_client(self.mongod.uri)[self.database]["orders"]


def run(environment: Mapping[str, str], module: str, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run `python -m` with these words to its end, in this whole environment."""
    return subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@dataclass
class Service:
    """Processes of the service; each can be killed, stopped and started again by its name."""

    servers: Servers
    logs: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    children: dict[str, Child] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where the API listens."""
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """Return the whole environment of a process."""
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        ours = {**self.servers.environment(), "PORT": str(self.port)}
        return {**inherited, **ours, **self.settings}

    def run(self, module: str, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run `python -m` with these words to its end, as an operator would."""
        return run(self.environment(), module, *words)

    def start(self, name: str, *command: str) -> Child:
        """Start a process by the command that an operator would type."""
        child = Child(
            name,
            [str(BIN / command[0]), *command[1:]],
            log=self.logs / f"{name}.log",
            cwd=REPOSITORY,
            environment=self.environment(),
        )
        self.children[name] = child
        child.launch()
        return child

    def api(self) -> Child:
        """Start an API and wait until it answers."""
        child = self.start("api", "gunicorn", "api:create_app()")
        eventually(self._answers)
        return child

    def worker(self, queue: str, name: str = "", *arguments: str) -> Child:
        """Start a worker on one queue and wait until it reads it."""
        name = name or queue
        # Mingling would ask the other workers for a second what they have revoked.
        options = ("-Q", queue, "-n", f"{name}@%h", "--without-mingle", *arguments)
        return self._started(r" ready\.", f"worker-{name}", "celery", "-A", "tasks", "worker", *options)

    def beat(self) -> Child:
        """Start beat."""
        return self.start("beat", "celery", "-A", "tasks", "beat")

    def bridge(self, name: str = "bridge") -> Child:
        """Start a bridge and wait until it reads partitions."""
        return self._started("reads (product_events|user_logged_in)", name, "python", "-m", "bridge")

    def whole(self) -> "Service":
        """Start one of each kind but Flower, all at once."""
        starts = [self.api, self.beat, self.bridge]
        starts += [partial(self.worker, queue) for queue in ("orders", "stock", "logins", "publish")]
        with ThreadPoolExecutor() as pool:
            for started in [pool.submit(start) for start in starts]:
                started.result()
        return self

    def stop(self) -> None:
        """Stop what still runs, all at once; what does not end by itself is killed."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(Child.stop, self.children.values()))

    def _started(self, sign: str, name: str, *command: str) -> Child:
        """Start a process and wait until it logs the sign (a regular expression) once more than before."""
        log = self.logs / f"{name}.log"

        def signs() -> int:
            return len(re.findall(sign, log.read_text())) if log.exists() else 0

        before = signs()
        child = self.start(name, *command)
        eventually(lambda: signs() > before, within=30)
        return child

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/livez", timeout=1).ok
        except requests.RequestException:
            return False


@contextmanager
def service(servers: Servers, logs: Path, **settings: str) -> Iterator[Service]:
    """Have a service whose processes end with the block; `settings` are environment variables."""
    logs.mkdir(parents=True, exist_ok=True)
    running = Service(servers, logs, settings)
    try:
        yield running
    finally:
        running.stop()
