"""The order as MongoDB holds it and as JSON shows it."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from mongoengine import (
    DateTimeField,
    Decimal128Field,
    Document,
    EmbeddedDocument,
    EmbeddedDocumentListField,
    IntField,
    QuerySet,
    StringField,
)
from mongoengine.base import BaseField

WRITE_CONCERN = {"w": "majority", "j": True}


class JSONField(BaseField):  # type: ignore[misc]
    """A value kept as the client sent it; DictField refuses keys that MongoDB and the contract allow."""


class Item(EmbeddedDocument):  # type: ignore[misc]
    """One product of the order."""

    product_id = StringField(required=True, db_field="productId")
    quantity = IntField(required=True)
    unit_price = Decimal128Field(null=True, db_field="unitPrice")


class Order(Document):  # type: ignore[misc]
    """An order. Its id is that of the task that created it."""

    meta = {"collection": "orders", "indexes": ["-created_at", ("user_id", "-created_at")]}  # noqa: RUF012

    id = StringField(primary_key=True)
    user_id = StringField(required=True, db_field="userId")
    items = EmbeddedDocumentListField(Item, required=True)
    currency = StringField(required=True)
    total = Decimal128Field(null=True)
    status = StringField(default="confirmed")
    shipping_address = JSONField(null=True, db_field="shippingAddress")
    note = StringField(null=True)
    metadata = JSONField(null=True)
    version = IntField(default=1)
    created_at = DateTimeField(required=True, db_field="createdAt")
    updated_at = DateTimeField(required=True, db_field="updatedAt")

    def to_dict(self) -> dict[str, Any]:
        """Return the order of the contract, ready for JSON."""
        return {
            "orderId": self.id,
            "userId": self.user_id,
            "items": [
                {"productId": item.product_id, "quantity": item.quantity, "unitPrice": _amount(item.unit_price)}
                for item in self.items
            ],
            "currency": self.currency,
            "total": _amount(self.total),
            "status": self.status,
            "shippingAddress": self.shipping_address,
            "note": self.note,
            "metadata": self.metadata,
            "version": self.version,
            "createdAt": _timestamp(self.created_at),
            "updatedAt": _timestamp(self.updated_at),
        }


def new_order(order_id: str, request: dict[str, Any]) -> Order:
    """Return the order that a validated request asks for, not stored yet. Prices are strings in it, never floats."""
    items = [
        Item(product_id=line["productId"], quantity=line["quantity"], unit_price=line["unitPrice"])
        for line in request["items"]
    ]
    now = datetime.now(UTC)
    return Order(
        id=order_id,
        user_id=request["userId"],
        items=items,
        currency=request["currency"],
        total=_total(request["items"]),
        shipping_address=request["shippingAddress"],
        note=request["note"],
        metadata=request["metadata"],
        created_at=now,
        updated_at=now,
    )


def newest_first(**filters: Any) -> QuerySet:
    """Return the query for the orders that match, newest first."""
    return Order.objects(**filters).order_by("-created_at")


def _total(lines: list[dict[str, Any]]) -> Decimal | None:
    if any(line["unitPrice"] is None for line in lines):
        return None
    return sum((line["quantity"] * Decimal(line["unitPrice"]) for line in lines), Decimal(0))


def _amount(amount: Decimal | None) -> str | None:
    return None if amount is None else format(amount, "f")


def _timestamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
