"""What a write does to an order: pure functions from the order before to the order after, or to a problem.

Every transition makes one version, one timeline entry and one event. Nothing here reads a clock or a store.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

from bson.decimal128 import Decimal128

from models import money, rejections
from models.order import Change, ItemDocument, OrderDocument, OutboxEvent, Status, TimelineEntry
from models.rejections import Problem
from models.writes import Write

TOPICS: dict[Change, str] = {"created": "order_created", "updated": "order_updated", "deleted": "order_deleted"}

RETURNS_STOCK: frozenset[Status] = frozenset({"confirmed", "processing"})
"""Cancelling or deleting from these gives the stock back; from any other moves none."""

_NEXT: dict[Status, frozenset[Status]] = {
    "confirmed": frozenset({"processing", "cancelled"}),
    "processing": frozenset({"shipped", "cancelled"}),
    "shipped": frozenset({"delivered"}),
    "delivered": frozenset(),
    "cancelled": frozenset(),
}

_SNAPSHOT = ("userId", "items", "currency", "total", "status", "createdAt", "version")


@dataclass(frozen=True, slots=True)
class Transition:
    """An order after a write, and what it takes from stock (units by product; negative: gives back)."""

    order: OrderDocument
    takes: dict[str, int]


def create(write: Write, now: datetime, *, notify: bool | None = None) -> Transition:
    """Return the new order. `notify` is put into its event where it is not None."""
    body = write.body
    items = _items(body["items"])
    order: OrderDocument = {
        "_id": write.order_id,
        "userId": body["userId"],
        "items": items,
        "currency": body["currency"],
        "total": _total(body["items"]),
        "status": "confirmed",
        "shippingAddress": body.get("shippingAddress"),
        "note": body.get("note"),
        "metadata": body.get("metadata"),
        "version": 1,
        "createdAt": write.accepted_at,
        "updatedAt": now,
        "timeline": [],
        "outbox": [],
    }
    return _record(order, dict(_units(items)), write, now, "created", notify=notify)


def update(before: OrderDocument, write: Write, now: datetime) -> Transition | Problem:
    """Return the order with the write's changes, or why its status does not allow them."""
    body = write.body
    status: Status = body.get("status", before["status"])
    if status != before["status"] and status not in _NEXT[before["status"]]:
        return rejections.invalid_transition(f"An order that is {before['status']} cannot become {status}.")
    if "items" in body and before["status"] != "confirmed":
        return rejections.invalid_transition(
            f"Items change only while an order is confirmed; this one is {before['status']}."
        )
    after = cast(OrderDocument, {**before, **{key: body[key] for key in body if key != "items"}})
    if "items" in body:
        after["items"] = _items(body["items"])
        after["total"] = _total(body["items"])
    changed = [key for key in (*body, "total") if cast("dict[str, Any]", after)[key] != before.get(key)]
    return _record(after, _movement(before, after), write, now, "updated", changed=changed)


def delete(before: OrderDocument, write: Write, now: datetime) -> Transition:
    """Return the order's tombstone; its status stays the last one before the delete."""
    after = cast(OrderDocument, {**before, "deletedAt": now})
    return _record(after, _movement(before, after), write, now, "deleted", changed=[])


def entry_of(order: OrderDocument, task_id: str) -> TimelineEntry | None:
    """Return the transition that this task made, if it made one."""
    return next((entry for entry in order["timeline"] if entry["taskId"] == task_id), None)


def _record(  # noqa: PLR0913
    order: OrderDocument,
    takes: dict[str, int],
    write: Write,
    now: datetime,
    change: Change,
    *,
    changed: list[str] | None = None,
    notify: bool | None = None,
) -> Transition:
    """Give the order its next version, with the timeline entry and the event that go with it."""
    version = order["version"] = len(order["timeline"]) + 1
    order["updatedAt"] = now
    entry: TimelineEntry = {
        "version": version,
        "status": order["status"],
        "at": now,
        "taskId": write.task_id,
        "change": change,
    }
    snapshot = {key: cast("dict[str, Any]", order)[key] for key in _SNAPSHOT}
    event: OutboxEvent = {"id": f"{order['_id']}:{version}", "topic": TOPICS[change], "at": now, "order": snapshot}
    if changed is not None:
        event["changed"] = changed
    if notify is not None:
        event["notify"] = notify
    if takes:
        entry["takes"] = event["takes"] = takes
    order["timeline"] = [*order["timeline"], entry]
    order["outbox"] = [*order["outbox"], event]
    return Transition(order, takes)


def _items(items: list[dict[str, Any]]) -> list[ItemDocument]:
    return [
        {
            "productId": item["productId"],
            "quantity": item["quantity"],
            "unitPrice": None if item.get("unitPrice") is None else money.stored(item["unitPrice"]),
        }
        for item in items
    ]


def _total(items: list[dict[str, Any]]) -> Decimal128 | None:
    prices = [(item["quantity"], item.get("unitPrice")) for item in items]
    total = money.total([(quantity, None if price is None else Decimal(price)) for quantity, price in prices])
    return None if total is None else Decimal128(total)


def _units(items: list[ItemDocument]) -> Counter[str]:
    return Counter({item["productId"]: item["quantity"] for item in items})


def _movement(before: OrderDocument, after: OrderDocument) -> dict[str, int]:
    """Return what the order takes anew; nothing once it has shipped, for then its units are gone for good."""
    if before["status"] not in RETURNS_STOCK:
        return {}
    gone = after["status"] == "cancelled" or "deletedAt" in after
    had, has = _units(before["items"]), Counter() if gone else _units(after["items"])
    moved = {product: has[product] - had[product] for product in had | has}
    return {product: units for product, units in moved.items() if units}
