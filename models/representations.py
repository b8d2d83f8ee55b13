"""What the outside sees of an order: the same JSON in lists, alone, in a task's record and in `user_orders`.

MongoDB itself makes it of the stored document: a projection says what an order looks like, so that what is read can be
written as JSON as it is, and Python has nothing left to do for each order.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from bson.decimal128 import Decimal128
from pymongo import DESCENDING
from pymongo.collection import Collection

from models import money
from models.order import OrderDocument

ShownOrder = dict[str, Any]
"""An order of the contract, ready for a JSON encoder; what has no value is None."""


def _or_null(field: str) -> dict[str, Any]:
    return {"$ifNull": [field, None]}


def _text(field: str) -> dict[str, str]:
    """Return MongoDB's spelling: of a price as it was given, of a time as RFC 3339 in UTC with milliseconds."""
    return {"$toString": field}


_ITEM = {"productId": "$$this.productId", "quantity": "$$this.quantity", "unitPrice": _text("$$this.unitPrice")}
_TRANSITION = {
    "version": "$$this.version",
    "status": "$$this.status",
    "at": _text("$$this.at"),
    "taskId": "$$this.taskId",
    "change": "$$this.change",
}
_ORDER = {
    "_id": 0,
    "orderId": "$_id",
    "userId": "$userId",
    "items": {"$map": {"input": "$items", "in": _ITEM}},
    "currency": "$currency",
    "total": _text("$total"),
    "status": "$status",
    "shippingAddress": _or_null("$shippingAddress"),
    "note": _or_null("$note"),
    "metadata": _or_null("$metadata"),
    "version": "$version",
    "createdAt": _text("$createdAt"),
    "updatedAt": _text("$updatedAt"),
}
_TIMELINE = {"timeline": {"$map": {"input": "$timeline", "in": _TRANSITION}}}


def newest_shown(orders: "Collection[OrderDocument]", wanted: Mapping[str, Any], limit: int) -> list[ShownOrder]:
    """Return orders as they are shown, newest first; the filter is to leave deleted ones out."""
    # By default MongoDB answers with 101 at first, and has to be asked again for the rest.
    found = orders.find(wanted, _ORDER, sort=[("_id", DESCENDING)], limit=limit, batch_size=limit)
    return cast(list[ShownOrder], found.to_list())


def one_shown(orders: "Collection[OrderDocument]", order_id: str, *, with_timeline: bool = False) -> ShownOrder | None:
    """Return one order as it is shown, None where it is not stored or deleted; its timeline is the oldest first."""
    shown = _ORDER | _TIMELINE if with_timeline else _ORDER
    return cast("ShownOrder | None", orders.find_one({"_id": order_id, "deletedAt": None}, shown))


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
            return money.shown(value.bid)
        case datetime():
            return timestamp(value)
        case [*items]:
            return [{key: _plain(part) for key, part in item.items()} for item in items]
    return value
