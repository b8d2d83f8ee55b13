"""A Redis of these tests' own, and consumers as kombu makes them, on either transport."""

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
import redis

from local.servers import RedisServer
from tests.tasks.transport.consumers import Consumer

Which = Literal["stock", "ours"]


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis that these tests may kill."""
    own = RedisServer(tmp_path_factory.mktemp("transport") / "redis")
    own.start()
    yield own
    own.stop()


@pytest.fixture
def store(server: RedisServer) -> Iterator["redis.Redis"]:
    """That Redis, empty, as any other program would use it."""
    with redis.Redis(port=server.port, decode_responses=True, encoding_errors="surrogateescape") as client:
        client.flushall()
        yield client


@pytest.fixture(params=["stock", "ours"])
def which(request: pytest.FixtureRequest) -> Which:
    """The transport: each test says what either promises."""
    found: Which = request.param
    return found


@pytest.fixture
def consumer(server: RedisServer, store: "redis.Redis") -> Iterator[Callable[..., Consumer]]:
    """Return how to have a consumer; each is closed with the test."""
    made: list[Consumer] = []

    def make(which: Which, *queues: str, **options: Any) -> Consumer:
        made.append(Consumer(server.port, which, *queues, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def push(store: "redis.Redis") -> Callable[..., str]:
    """Return how to push a message as kombu writes it; returns what was pushed."""

    def one(queue: str, body: str, tag: str = "", **more: Any) -> str:
        text = message(queue, body, tag, **more)
        store.lpush(queue, text)
        return text

    return one


def message(queue: str, body: str, tag: str = "", **headers: Any) -> str:
    """Return a message as kombu's publisher writes it."""
    return json.dumps(
        {
            "body": body,
            "content-encoding": "utf-8",
            "content-type": "text/plain",
            "headers": headers,
            "properties": {
                "delivery_mode": 2,
                "delivery_info": {"exchange": "", "routing_key": queue},
                "priority": 0,
                "delivery_tag": tag or str(uuid.uuid4()),
            },
        }
    )


def cpu_seconds(store: "redis.Redis") -> float:
    """Return what Redis has computed so far: unlike time, it is the same on a busy machine."""
    found = store.info("cpu")
    return float(found["used_cpu_user"]) + float(found["used_cpu_sys"])


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Where processes log."""
    return tmp_path
