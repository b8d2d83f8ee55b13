"""Orders as MongoDB holds them, read by a client that knows nothing of the service, and by mongoengine."""

from datetime import UTC, datetime
from typing import Any

from bson.decimal128 import Decimal128

from models.order import Order
from tests.api.contract import ORDER_FIELDS, moment
from tests.client import Client
from tests.processes import eventually

STORED_FIELDS = (ORDER_FIELDS - {"orderId"}) | {"_id", "timeline", "outbox", "publishedAt"}


def test_money_is_decimal128_and_times_are_dates(api: Client, user: str, product: str, orders: Any) -> None:
    lines = {"productId": product, "quantity": 3, "unitPrice": 0.1}
    order = api.create(user, lines, metadata={"a.b": {"$x": 1}})

    raw = orders.find_one({"_id": order["orderId"]})

    assert raw["items"] == [{"productId": product, "quantity": 3, "unitPrice": Decimal128("0.1")}]
    assert raw["total"] == Decimal128("0.3")
    assert isinstance(raw["createdAt"], datetime)
    assert raw["createdAt"] == moment(order["createdAt"])
    assert raw["updatedAt"] == moment(order["updatedAt"])
    assert raw["timeline"] == [
        {
            "version": 1,
            "status": "confirmed",
            "at": raw["updatedAt"],
            "taskId": order["orderId"],
            "change": "created",
            "takes": {product: 3},
        }
    ]
    assert raw["metadata"] == {"a.b": {"$x": 1}}
    assert raw["createdAt"].tzinfo == UTC or raw["createdAt"].utcoffset() == datetime.now(UTC).utcoffset()


def test_an_order_is_one_document_whose_sent_events_are_gone(
    api: Client, order: dict[str, Any], product: str, orders: Any
) -> None:
    path = f"/order/{order['orderId']}"
    api.write("PUT", path, {"status": "processing", "productId": product, "quantity": 1})

    raw = eventually(lambda: orders.find_one({"_id": order["orderId"], "outbox": []}))

    assert set(raw) == STORED_FIELDS
    assert len(raw["timeline"]) == raw["version"] == 2


def test_every_stored_order_validates_as_the_mongoengine_document(
    api: Client, user: str, product: str, orders: Any
) -> None:
    plain = api.create(user, {"productId": product, "quantity": 1})["orderId"]
    full = api.create(
        user,
        {"productId": product, "quantity": 1, "unitPrice": "999999999.9999"},
        note="n",
        metadata={"$x": {"a.b": [1, None]}},
        shippingAddress={"street.name": "x"},
    )["orderId"]
    api.write("PUT", f"/order/{full}", {"status": "processing", "note": None})
    deleted = api.create(user, {"productId": product, "quantity": 1})["orderId"]
    api.write("DELETE", f"/order/{deleted}")

    for order_id in (plain, full, deleted):
        document = Order._from_son(orders.find_one({"_id": order_id}))
        document.validate()
        assert (document.id, document.userId) == (order_id, user)
