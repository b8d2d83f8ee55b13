"""A Redis database of the ledger's own, with a clock that tests hold."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import redis

from local.servers import RedisServer


@dataclass
class Clock:
    """Virtual time in milliseconds since 1970."""

    now: int = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture(scope="module")
def ledger_redis(redis_server: RedisServer) -> Iterator["redis.Redis"]:
    """A database that nothing else uses."""
    with redis.Redis(port=redis_server.port, db=7, decode_responses=True) as client:
        client.flushdb()
        yield client
        client.flushdb()


@pytest.fixture
def clock(ledger_redis: "redis.Redis") -> Clock:
    ledger_redis.flushdb()
    return Clock()
