"""The one place where connections to MongoDB and Redis are opened, lazily and never before a fork.

A process says how long it is ready to wait: an API answers within 2.5 s, a worker can be patient.
"""

import os
import threading
from functools import cache

import mongoengine
import redis
from pymongo.collection import Collection
from pymongo.uri_parser import parse_uri
from redis.backoff import NoBackoff
from redis.retry import Retry

from models.order import Order, OrderDocument
from settings import settings

MAX_CONNECTIONS = 100
"""Connections one process opens to each server at the most; more callers wait for one."""

_connecting = threading.Lock()


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


@cache
def _redis(_pid: int, timeout_seconds: float) -> "redis.Redis":
    chosen = settings()
    password = chosen.redis_password
    return redis.Redis(
        host=chosen.redis_host,
        port=chosen.redis_port,
        db=chosen.redis_db,
        username=chosen.redis_username,
        password=password.get_secret_value() if password else None,
        ssl=chosen.redis_tls,
        ssl_cert_reqs="required",
        decode_responses=True,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        max_connections=MAX_CONNECTIONS,
        # A pooled connection that a restarted Redis has closed is replaced once; a hung Redis is not asked twice.
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
    )


def redis_client(timeout_seconds: float) -> "redis.Redis":
    """Return this process's client of Redis; no reply is awaited longer than `timeout_seconds`."""
    return _redis(os.getpid(), timeout_seconds)
