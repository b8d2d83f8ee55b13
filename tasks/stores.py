"""What a commit reads and changes: this process's stores, and its clock."""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Literal

import redis
from pymongo.collection import Collection

from models.connections import orders, redis_client
from models.customers import Customers
from models.order import OrderDocument
from models.stock import Stock
from settings import settings
from tasks.outbox import Outbox
from tasks.publisher import publisher
from tasks.records import Records

SERVER_TIMEOUT = 10.0
"""Seconds a worker waits for one answer of MongoDB or Redis before it tries again."""


@dataclass(frozen=True, slots=True)
class Stores:
    """Everything a commit changes, and its clock. `counts` says how often which safeguard fired."""

    client: "redis.Redis"
    orders: "Collection[OrderDocument]"
    stock: Stock
    customers: Customers
    records: Records
    outbox: Outbox
    notifications_off: Literal["reject", "accept"]
    clock: Callable[[], datetime]
    counts: Counter[str] = field(default_factory=Counter)


def now() -> datetime:
    """Return the time in UTC, in whole milliseconds as MongoDB keeps it."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def open_stores() -> Stores:
    """Return this process's stores; connections are opened at first use."""
    return _stores(os.getpid())


@cache
def _stores(_pid: int) -> Stores:
    client = redis_client(SERVER_TIMEOUT)
    collection, customers, stock = orders(SERVER_TIMEOUT), Customers(client), Stock(client)
    return Stores(
        client=client,
        orders=collection,
        stock=stock,
        customers=customers,
        records=Records(client),
        outbox=Outbox(collection, customers, stock, publisher(), client),
        notifications_off=settings().notifications_off,
        clock=now,
    )
