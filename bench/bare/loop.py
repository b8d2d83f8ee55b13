"""Orders in a bare loop: a script that takes stock, a bulk insert with outbox, events awaited, results; nothing else.

`python -m bench.bare.loop <orders> <orders at once>`, with the five variables; prints as JSON the CPU µs an order and
the orders' ids. Nothing here is safe against anything: that is what the difference to the service pays for.
"""

import json
import os
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
import pymongo
import redis
from bson.decimal128 import Decimal128
from confluent_kafka import KafkaError, Message, Producer

from bench.order_requests import CUSTOMERS, PRODUCTS, customer, order
from models.ids import new_id

TAKE = "for i, key in ipairs(KEYS) do redis.call('DECRBY', key, ARGV[i]) end"
DAY = 24 * 3600


class BareLoop:
    """Connections to the three servers, and what is done with them for some orders at once."""

    def __init__(self) -> None:
        self._redis = redis.Redis(os.environ["REDIS_HOST"], int(os.environ["REDIS_PORT"]))
        mongo: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(os.environ["MONGO_URI"])
        journaled = pymongo.WriteConcern(w="majority", j=True)
        self._orders = mongo["orders"].get_collection("orders", write_concern=journaled)
        settings = {
            "bootstrap.servers": os.environ["KAFKA_BROKER"],
            "acks": "all",
            "enable.idempotence": True,
            "linger.ms": 0,
            "log_level": 0,
        }
        self._producer = Producer(settings)
        self._take = self._redis.register_script(TAKE)
        self._arrived = 0

    def carry_out(self, bodies: list[dict[str, Any]]) -> list[str]:
        """Carry out these orders; return their ids."""
        items = [item for body in bodies for item in body["items"]]
        self._take(
            keys=[f"product:{item['productId']}:stock" for item in items], args=[item["quantity"] for item in items]
        )
        orders = [_document(body, datetime.now(UTC)) for body in bodies]
        self._orders.insert_many(orders, ordered=False)
        self._announce(orders)
        with self._redis.pipeline(transaction=False) as pipeline:
            for stored in orders:
                record = {"status": "SUCCESS", "result": {"orderId": stored["_id"], "outcome": "created"}}
                pipeline.set(f"celery-task-meta-{stored['_id']}", orjson.dumps(record), ex=DAY)
            pipeline.execute()
        return [stored["_id"] for stored in orders]

    def _announce(self, orders: list[dict[str, Any]]) -> None:
        self._arrived = 0
        for stored in orders:
            (event,) = stored["outbox"]
            value = orjson.dumps({"orderId": stored["_id"], **event["order"]}, default=str)
            self._producer.produce("order_created", value, stored["_id"], on_delivery=self._note)
        self._producer.flush()
        assert self._arrived == len(orders), f"{self._arrived} of {len(orders)} events arrived"

    def _note(self, error: KafkaError | None, _: Message) -> None:
        self._arrived += error is None


def _document(body: dict[str, Any], now: datetime) -> dict[str, Any]:
    items = [{**item, "unitPrice": Decimal128(Decimal(item["unitPrice"]))} for item in body["items"]]
    total = Decimal128(sum((Decimal(item["unitPrice"]) * item["quantity"] for item in body["items"]), Decimal(0)))
    snapshot = {
        "userId": body["userId"],
        "items": items,
        "currency": "USD",
        "total": total,
        "status": "confirmed",
        "createdAt": now,
        "version": 1,
    }
    order_id = new_id()
    return {
        "_id": order_id,
        **snapshot,
        "shippingAddress": body["shippingAddress"],
        "note": None,
        "metadata": None,
        "updatedAt": now,
        "timeline": [{"version": 1, "status": "confirmed", "at": now, "taskId": order_id, "change": "created"}],
        "outbox": [{"id": f"{order_id}:1", "topic": "order_created", "at": now, "order": snapshot}],
    }


def main() -> None:
    """Carry out the orders, the first of them unmeasured, and print what they took."""
    count, at_once = int(sys.argv[1]), int(sys.argv[2])
    bodies: list[dict[str, Any]] = [
        dict(order(customer(turn % CUSTOMERS), PRODUCTS[turn % len(PRODUCTS)])) for turn in range(count)
    ]
    loop, ids = BareLoop(), []
    for _ in range(10):
        ids += loop.carry_out(bodies[:at_once])
    began = time.process_time()
    for first in range(0, count, at_once):
        ids += loop.carry_out(bodies[first : first + at_once])
    used = time.process_time() - began
    print(json.dumps({"CPU an order (µs)": 1e6 * used / count, "ids": ids}))


if __name__ == "__main__":
    main()
