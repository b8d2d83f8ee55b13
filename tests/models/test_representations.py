"""What MongoDB makes of a stored order against the same written down in Python, byte for byte."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

import orjson
import pytest
from bson.decimal128 import Decimal128
from pymongo.collection import Collection

from local.servers import Mongod
from models import transitions
from models.ids import new_id
from models.order import OrderDocument
from models.representations import newest_shown, one_shown
from models.writes import Write
from tests.processes import mongo_client

FIELDS = [
    *("userId", "items", "currency", "total", "status", "shippingAddress"),
    *("note", "metadata", "version", "createdAt", "updatedAt"),
]
NOW = datetime(2026, 2, 3, 4, 5, 6, 7000, tzinfo=UTC)


@pytest.fixture
def orders(mongod: Mongod) -> Iterator["Collection[OrderDocument]"]:
    collection = cast("Collection[OrderDocument]", mongo_client(mongod.uri)["representations"]["orders"])
    yield collection
    collection.drop()


def plain(value: object) -> object:
    match value:
        case Decimal128():
            return format(value.to_decimal(), "f")
        case datetime():
            return f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03}Z"
        case list():
            return [{key: plain(part) for key, part in entry.items() if key != "takes"} for entry in value]
    return value


def expected(stored: OrderDocument, *more: str) -> dict[str, object]:
    return {"orderId": stored["_id"], **{field: plain(stored.get(field)) for field in (*FIELDS, *more)}}


def stored_order(**more: Any) -> OrderDocument:
    order_id = new_id()
    body = {"userId": "u", "currency": "EUR", **more}
    return transitions.create(Write(order_id, order_id, "create", body, NOW), NOW).order


def item(price: str | None) -> dict[str, Any]:
    return {"productId": "p", "quantity": 3, "unitPrice": None if price is None else Decimal(price)}


PRICES = ["0", "0.0", "0.0000", "0.0001", "0.1", "1.50", "19.90", "100", "5000000", "999999999.9999"]
ORDERS = {
    **{price: {"items": [item(price)]} for price in PRICES},
    "without a price": {"items": [item("1.5"), item(None)]},
    "with all it may have": {
        "items": [item("0.10"), item("7")],
        "shippingAddress": {"street.name": "x", "$city": "\U0001f4ee"},
        "note": 'a "note" \u2028',
        "metadata": {"$x": {"a.b": [1, None, 1.5, 2**53, True, {"$toString": "$total"}]}, "at": "$createdAt"},
    },
}


@pytest.mark.parametrize("more", ORDERS.values(), ids=ORDERS)
def test_an_order_is_shown_as_it_is_written_down_here(
    orders: "Collection[OrderDocument]", more: dict[str, Any]
) -> None:
    stored = stored_order(**more)
    orders.insert_one(stored)
    order_id = stored["_id"]

    alone, whole = one_shown(orders, order_id), one_shown(orders, order_id, with_timeline=True)

    assert orjson.dumps(alone) == orjson.dumps(expected(stored))
    assert orjson.dumps(whole) == orjson.dumps(expected(stored, "timeline"))
    assert newest_shown(orders, {}, 10) == [alone]


def test_what_an_order_does_not_have_is_null(orders: "Collection[OrderDocument]") -> None:
    stored = stored_order(items=[item("1")])
    optional = ("total", "shippingAddress", "note", "metadata")
    orders.insert_one(cast(OrderDocument, {key: value for key, value in stored.items() if key not in optional}))

    shown = one_shown(orders, stored["_id"])

    assert orjson.dumps(shown) == orjson.dumps(expected(stored) | dict.fromkeys(optional))
