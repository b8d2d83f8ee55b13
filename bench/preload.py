"""Very many orders as the service leaves them behind: documents, results, and the stock that they hold.

They are written in bulk, past the service, but in its shapes: its transitions make the documents, its ledger the holds.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import orjson
import pymongo
import redis

from bench.order_requests import CUSTOMERS, UNITS, customer, order
from bench.servers import Servers
from models import transitions
from models.ids import new_id
from models.movements import Movement, decision_key, event_id
from models.order import OrderDocument, make_indexes
from models.stock import Sent, Stock
from models.writes import Outcome, Write
from tasks.records import LIFETIME, new_record, record_key

AT_ONCE = 1000
MOST_SECONDS = 900.0
SETTLE_MS = 30_000
PARTITION = 3
"""Holds are filed under a partition that the topic does not have: its real offsets begin at 0."""


def preload(servers: Servers, count: int, products: Sequence[str], tell: Callable[[str], None]) -> None:
    """Store so many orders of these products, the last of them a moment ago.

    Raises
    ------
    TimeoutError
        where that takes longer than a quarter of an hour.

    """
    deadline = time.monotonic() + MOST_SECONDS
    mongo: pymongo.MongoClient[OrderDocument] = pymongo.MongoClient(servers.mongod.uri)
    with mongo, redis.Redis(port=servers.redis_server.port, decode_responses=True) as client:
        client.config_set("appendfsync", "no")
        client.mset({f"product:{product}:stock": UNITS for product in products})
        orders = mongo["orders"]["orders"]
        make_indexes(orders)
        unsafe = orders.with_options(write_concern=pymongo.WriteConcern(w=1, j=False))
        stock = Stock(client, settle_ms=SETTLE_MS)
        done = 0
        for batch in _batches(count, products):
            unsafe.insert_many(batch, ordered=False)
            _hold(stock, batch, done)
            _end(client, batch)
            done += len(batch)
            tell(f"{done:,} of {count:,} orders stored beforehand")
            if time.monotonic() > deadline:
                raise TimeoutError(f"only {done} of {count} orders were stored within {MOST_SECONDS:.0f} s")
        mongo.admin.command("fsync")
        client.config_set("appendfsync", "always")


def _batches(count: int, products: Sequence[str]) -> Iterator[list[OrderDocument]]:
    """Return the documents: each made like one of some patterns, with an id and times of its own."""
    patterns = [_pattern(customer(number), products[number % len(products)]) for number in range(CUSTOMERS)]
    began_ms = time.time_ns() // 1_000_000 - count
    for first in range(0, count, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, count))
        yield [_like(patterns[number % CUSTOMERS], began_ms + number) for number in numbers]


def _pattern(user_id: str, product_id: str) -> OrderDocument:
    body = cast("dict[str, Any]", order(user_id, product_id)) | {"currency": "USD"}
    now = datetime.now(UTC)
    return transitions.create(Write("", "", "create", body, now), now).order


def _like(pattern: OrderDocument, at_ms: int) -> OrderDocument:
    order_id, at = new_id(at_ms), datetime.fromtimestamp(at_ms / 1000, UTC)
    (entry,) = pattern["timeline"]
    return {
        **pattern,
        "_id": order_id,
        "createdAt": at,
        "updatedAt": at,
        "publishedAt": at,
        "timeline": [{**entry, "at": at, "taskId": order_id}],
        "outbox": [],
    }


def _hold(stock: Stock, batch: Sequence[OrderDocument], first: int) -> None:
    """Have the orders hold their units, with their events on Kafka."""
    now_ms = time.time_ns() // 1_000_000
    takes = [entry["takes"] for each in batch for entry in each["timeline"]]
    ids = [each["_id"] for each in batch]
    stock.move([Movement(order_id, 1, order_id, units) for order_id, units in zip(ids, takes, strict=True)])
    stock.published(
        [
            Sent(event_id(order_id, 1), units, "order_created", PARTITION, first + place, now_ms)
            for place, (order_id, units) in enumerate(zip(ids, takes, strict=True))
        ]
    )


def _end(client: "redis.Redis", batch: Sequence[OrderDocument]) -> None:
    """Leave the records of ended writes, which live for a day."""
    with client.pipeline(transaction=False) as pipeline:
        for each in batch:
            order_id, at = each["_id"], each["createdAt"].isoformat()
            record = new_record("SUCCESS", order_id, order_id, at, Outcome(order_id, "created", None, 1).as_result())
            pipeline.set(record_key(order_id), orjson.dumps(record), ex=LIFETIME)
            pipeline.expire(decision_key(order_id, 1), LIFETIME)
        pipeline.execute()
