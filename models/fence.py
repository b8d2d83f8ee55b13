"""Whether a write or its discard comes first is decided by MongoDB, in the order's own document.

A discard notes the task in `discarded`, and no write of such a task is stored. A write to an order that is not stored
may be discarded too: its document is then a tombstone of version 0, which lists, reads and the ledger never see, and
onto which only a create that was not discarded is stored.
"""

from datetime import datetime
from typing import Any, cast

from pymongo import InsertOne, UpdateOne
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from models.order import OrderDocument, TimelineEntry
from models.transitions import entry_of


def is_discarded(order: OrderDocument | None, task_id: str) -> bool:
    """Tell whether the task's write may not be stored any more."""
    return order is not None and task_id in order.get("discarded", ())


def is_placeholder(order: OrderDocument) -> bool:
    """Tell whether this is no order, but the note that writes to it were discarded before it was stored."""
    return order["version"] == 0


def discard(orders: "Collection[OrderDocument]", order_id: str, task_id: str, now: datetime) -> TimelineEntry | None:
    """See to it that the task's write is never stored; return its transition where it was stored before."""
    unstored = {"_id": order_id, "timeline.taskId": {"$ne": task_id}}
    placeholder = {"version": 0, "deletedAt": now, "timeline": [], "outbox": []}
    mark = {"$addToSet": {"discarded": task_id}, "$setOnInsert": placeholder}
    while True:
        try:
            orders.update_one(unstored, mark, upsert=True)
        except DuplicateKeyError:
            # There is a document that the filter excludes, or it was stored just now: then the filter decides again.
            stored = orders.find_one({"_id": order_id}, {"timeline": 1})
            if stored is not None and (made := entry_of(stored, task_id)) is not None:
                return made
        else:
            return None


def storing(task_id: str, before: OrderDocument | None, after: OrderDocument) -> InsertOne[OrderDocument] | UpdateOne:
    """Return the atomic step from the order as it was read (None: there was none) to what the task makes of it."""
    if before is None:
        return InsertOne(after)
    unchanged = {
        "_id": after["_id"],
        "version": before["version"],
        "timeline.taskId": {"$ne": task_id},
        "discarded": {"$ne": task_id},
    }
    return UpdateOne(unchanged, _difference(before, after))


def _difference(before: OrderDocument, after: OrderDocument) -> dict[str, Any]:
    """Return the MongoDB update between two states; the outbox is added to, never replaced: a sweep may empty it."""
    old, new = cast("dict[str, Any]", before), cast("dict[str, Any]", after)
    appended = ("timeline", "outbox")
    difference: dict[str, Any] = {
        "$set": {key: new[key] for key in new if key not in appended and new[key] != old.get(key)},
        "$push": {key: new[key][-1] for key in appended},
    }
    if "deletedAt" in old and "deletedAt" not in new:
        difference["$unset"] = {"deletedAt": ""}  # a placeholder becomes an order
    return difference
