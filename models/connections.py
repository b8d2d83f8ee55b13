"""The one place where connections to MongoDB and Redis are opened, lazily and never before a fork.

A process says how long it is ready to wait: an API answers within 2.5 s, a worker can be patient.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, cast

import mongoengine
import redis
import redis.asyncio
from pymongo.collection import Collection
from pymongo.uri_parser import parse_uri
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.connection import HiredisRespSerializer
from redis.retry import Retry

from models.order import Order, OrderDocument
from settings import settings

MAX_CONNECTIONS = 100
"""Connections one process opens to each server at the most; more callers wait for one."""

_connecting = threading.Lock()
_hiredis = HiredisRespSerializer()
_redis_deadline: ContextVar[float | None] = ContextVar("redis_deadline", default=None)


@cache
def _mongo(_pid: int, timeout_seconds: float) -> None:
    # The process is in the key because a client from before a fork must not be used after it.
    uri = settings().mongo_uri.get_secret_value()
    mongoengine.disconnect()
    mongoengine.connect(
        db=parse_uri(uri)["database"] or "orders",
        host=uri,
        connect=False,
        uuidRepresentation="standard",
        tz_aware=True,
        w="majority",
        journal=True,
        timeoutMS=int(timeout_seconds * 1000),
        serverSelectionTimeoutMS=int(timeout_seconds * 1000),
        maxPoolSize=MAX_CONNECTIONS,
        appname="order-service",
    )


def orders(timeout_seconds: float) -> "Collection[OrderDocument]":
    """Return the collection of orders; no operation on it takes longer than `timeout_seconds`."""
    with _connecting:
        _mongo(os.getpid(), timeout_seconds)
    collection: Collection[OrderDocument] = Order._get_collection()
    return collection


@contextmanager
def redis_within(seconds: float) -> Iterator[None]:
    """Have all that this block asks of Redis take no longer than this; `pymongo.timeout` is the same for MongoDB."""
    token = _redis_deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _redis_deadline.reset(token)


class _PunctualConnection(redis.Connection):
    """A connection that keeps the deadline of `redis_within`: when it is opened, and for every reply."""

    def _connect(self) -> Any:
        usual = self._socket_timeout, self._socket_connect_timeout
        self._socket_timeout, self._socket_connect_timeout = map(_time_left, usual)
        try:
            return super()._connect()  # type: ignore[no-untyped-call]
        finally:
            self._socket_timeout, self._socket_connect_timeout = usual

    def read_response(self, *args: Any, **options: Any) -> Any:
        """Read a reply, as long as there is time."""
        if _redis_deadline.get() is not None:
            options["timeout"] = _time_left(None)
        return super().read_response(*args, **options)


class _PunctualTLSConnection(_PunctualConnection, redis.SSLConnection):
    """The same over TLS."""


def _time_left(otherwise: float | None) -> float | None:
    deadline = _redis_deadline.get()
    # A timeout of 0 would mean a socket that does not block.
    return otherwise if deadline is None else max(deadline - time.monotonic(), 0.001)


@cache
def _redis(_pid: int, timeout_seconds: float) -> "redis.Redis":
    client = redis.Redis(
        **_redis_options(timeout_seconds),
        # A pooled connection that a restarted Redis has closed is replaced once; a hung Redis is not asked twice.
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
    )
    tls = settings().redis_tls
    client.connection_pool.connection_class = _PunctualTLSConnection if tls else _PunctualConnection
    return client


def _redis_options(timeout_seconds: float) -> dict[str, Any]:
    chosen = settings()
    password = chosen.redis_password
    return {
        "host": chosen.redis_host,
        "port": chosen.redis_port,
        "db": chosen.redis_db,
        "username": chosen.redis_username,
        "password": password.get_secret_value() if password else None,
        "ssl": chosen.redis_tls,
        "ssl_cert_reqs": "required",
        "decode_responses": True,
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": timeout_seconds,
        "max_connections": MAX_CONNECTIONS,
    }


def redis_client(timeout_seconds: float) -> "redis.Redis":
    """Return this process's client of Redis; no reply is awaited longer than `timeout_seconds`."""
    return _redis(os.getpid(), timeout_seconds)


class _PackingConnection(redis.asyncio.Connection):
    """A connection whose commands hiredis writes, as it does for the blocking client: a tenth of the time."""

    def pack_command(self, *args: Any) -> list[bytes]:
        """Return a command as it goes over the wire."""
        return cast(list[bytes], _hiredis.pack(*args))

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """Send a command. Where the connection was lost a moment ago, uvloop says so in words of its own."""
        try:
            await super().send_packed_command(command, check_health)
        except RuntimeError as error:
            raise redis.ConnectionError("The connection was closed before a command was sent.") from error


class _PackingTLSConnection(_PackingConnection, redis.asyncio.SSLConnection):
    """The same over TLS."""


def new_async_redis_client(timeout_seconds: float) -> "redis.asyncio.Redis":
    """Return a client of Redis for one event loop; no reply is awaited longer than `timeout_seconds`."""
    retry = AsyncRetry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
    client = redis.asyncio.Redis(**_redis_options(timeout_seconds), retry=retry)
    client.connection_pool.connection_class = _PackingTLSConnection if settings().redis_tls else _PackingConnection
    return client
