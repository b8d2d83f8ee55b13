"""How writes ended, as far as their commit knows: by what it did itself, or by what is found in their orders."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from models.order import OrderDocument, OutboxEvent
from models.rejections import Problem
from models.transitions import entry_of
from models.writes import Outcome, Write
from tasks.stores import Stores

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Done:
    """A write's outcome, with the events that its order has not sent."""

    outcome: Outcome
    unsent: list[OutboxEvent] = field(default_factory=list)


def read_orders(writes: Sequence[Write], stores: Stores) -> dict[str, OrderDocument]:
    """Return the orders of these writes, by id, as far as they are stored."""
    if not writes:
        return {}
    found = stores.orders.find({"_id": {"$in": [write.order_id for write in writes]}})
    return {order["_id"]: order for order in found}


def done_before(stored: OrderDocument | None, write: Write, stores: Stores) -> Done | None:
    """Return the outcome recorded in the order, where this task has changed it before."""
    entry = entry_of(stored, write.task_id) if stored else None
    if stored is None or entry is None:
        return None
    _log.info("order %s: version %d was stored before", write.order_id, entry["version"])
    stores.counts["writes_found_done"] += 1
    return Done(Outcome(write.order_id, entry["change"], version=entry["version"]), stored["outbox"])


def rejected(write: Write, problem: Problem, version: int = 0) -> Done:
    """Return the end of a write that changes nothing."""
    return Done(Outcome(write.order_id, "rejected", problem, version))
