"""A Redis database of the ledger's own, with a clock that tests hold."""

import math
from collections.abc import Iterator

import pytest
import redis

from local.servers import RedisServer
from tests.stock.shop import Clock, Shop


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


@pytest.fixture
def shop(ledger_redis: "redis.Redis", clock: Clock) -> Shop:
    return Shop(ledger_redis, clock)


@pytest.fixture
def named(ledger_redis: "redis.Redis", clock: Clock) -> Shop:
    return Shop(ledger_redis, clock, settle_ms=math.inf)
