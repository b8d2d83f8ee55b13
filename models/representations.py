"""What the outside sees of an order: the same JSON in lists, alone, in a task's record and in `user_orders`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from bson.decimal128 import Decimal128

from models.order import OrderDocument

PUBLIC_FIELDS = (
    "userId",
    "items",
    "currency",
    "total",
    "status",
    "shippingAddress",
    "note",
    "metadata",
    "version",
    "createdAt",
    "updatedAt",
)
PROJECTION = dict.fromkeys(PUBLIC_FIELDS, 1)
"""What a read needs from MongoDB to show an order."""


def order_json(order: Mapping[str, Any] | OrderDocument) -> dict[str, Any]:
    """Return the order of the contract, ready for a JSON encoder; what has no value is None."""
    return {"orderId": order["_id"], **{field: _plain(order.get(field)) for field in PUBLIC_FIELDS}}


def timeline_json(order: OrderDocument) -> list[dict[str, Any]]:
    """Return the order's timeline, oldest first, less what is for the ledger alone."""
    return [{key: _plain(value) for key, value in entry.items() if key != "takes"} for entry in order["timeline"]]


def event_json(event: Mapping[str, Any], order_id: str, email: str | None) -> dict[str, Any]:
    """Return the value of `order_created`, `order_updated` or `order_deleted`: the snapshot with today's e-mail."""
    snapshot = {key: _plain(value) for key, value in event["order"].items()}
    value = {"orderId": order_id, "email": email, **snapshot}
    value |= {key: event[key] for key in ("changed", "notify") if key in event}
    return value


def timestamp(moment: datetime) -> str:
    """Return RFC 3339 in UTC with milliseconds."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _plain(value: Any) -> Any:
    match value:
        case Decimal128():
            return format(value.to_decimal(), "f")
        case datetime():
            return timestamp(value)
        case [*items]:
            return [{key: _plain(part) for key, part in item.items()} for item in items]
    return value
