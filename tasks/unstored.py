"""Movements of tasks that have ended without storing their transition: revoked, or failed for good.

The end of such a write puts `<orderId> <taskId>` into `stock:ended` (tasks/end_writes.lua); a parked one has not
ended for the ledger, its units stay held. A task is never taken for ended by its age.
"""

from typing import cast

import redis
from pymongo.collection import Collection

from models.order import OrderDocument
from models.stock import Stock
from models.transitions import entry_of
from tasks.records import UNSTORED

BATCH = 500
"""Ended tasks that one sweep looks at; the next one goes on."""


def undo(client: "redis.Redis", stock: Stock, orders: "Collection[OrderDocument]") -> None:
    """Undo their movements, and forget the tasks."""
    for ended in cast(list[str], client.srandmember(UNSTORED, BATCH)):
        order_id, task_id = ended.split(" ", 1)
        order = orders.find_one({"_id": order_id}, {"timeline": 1})
        versions = len(order["timeline"]) if order else 0
        if order is None or entry_of(order, task_id) is None:
            # It may have moved stock for the version after the last, or for one that another write then made.
            for version in range(1, versions + 2):
                stock.undo(order_id, version, task_id)
        client.srem(UNSTORED, ended)
