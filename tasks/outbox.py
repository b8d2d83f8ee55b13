"""The outbox: an order's events stay in its document until Kafka has confirmed them.

They are sent right after the commit; what is left (Kafka was away, a worker died) the sweep finds, order by order,
whole and in order.
"""

from datetime import datetime, timedelta

from pymongo import ASCENDING, WriteConcern
from pymongo.collection import Collection

from models.customers import Customers
from models.order import OrderDocument, OutboxEvent
from tasks.events import order_event
from tasks.publisher import DELIVERY_TIMEOUT, Publisher

SEND_NOW_TIMEOUT = 1.0
"""Seconds a commit waits for Kafka before it leaves the event to the sweep."""

SWEEP_TIMEOUT = 10.0
"""Seconds a sweep waits for the events of one order."""

LEASE = timedelta(seconds=30)
"""How long one sweep has an order's outbox for itself."""

SETTLED_AFTER = timedelta(seconds=2 * DELIVERY_TIMEOUT)
"""An event older than this is in no producer's hands any more."""

SWEEP_LIMIT = 1000
"""Orders that one sweep sends at the most; the next one goes on."""


def send_now(
    orders: "Collection[OrderDocument]",
    customers: Customers,
    publisher: Publisher,
    order_id: str,
    events: list[OutboxEvent],
) -> None:
    """Send the one event a commit has just stored; where something older still waits, the sweep sends both in order."""
    if len(events) == 1:
        _send(orders, customers, publisher, order_id, events, SEND_NOW_TIMEOUT)


def sweep(
    orders: "Collection[OrderDocument]", customers: Customers, publisher: Publisher, now: datetime
) -> tuple[int, int]:
    """Send what is left in outboxes, oldest first; return how many events were sent, and how many could not be."""
    sent = left = 0
    due = {"outbox.at": {"$lt": now - SETTLED_AFTER}}
    free = {"$or": [{"outboxLease": {"$exists": False}}, {"outboxLease": {"$lt": now}}]}
    for _ in range(SWEEP_LIMIT):
        order = orders.find_one_and_update(
            due | free, {"$set": {"outboxLease": now + LEASE}}, sort=[("outbox.at", ASCENDING)]
        )
        if order is None:
            break
        delivered = _send(orders, customers, publisher, order["_id"], order["outbox"], SWEEP_TIMEOUT)
        sent += delivered
        left += len(order["outbox"]) - delivered
        if delivered < len(order["outbox"]):
            orders.update_one({"_id": order["_id"]}, {"$unset": {"outboxLease": 1}})
            break  # Kafka is away: the rest would only wait as long each
    return sent, left


def _send(
    orders: "Collection[OrderDocument]",
    customers: Customers,
    publisher: Publisher,
    order_id: str,
    events: list[OutboxEvent],
    timeout: float,
) -> int:
    email = customers.email(events[0]["order"]["userId"])
    reports = publisher.deliver([order_event(event, order_id, email) for event in events], timeout)
    # Up to the first that failed: removing a later one would let it overtake the earlier on the next sweep.
    count = reports.index(False) if False in reports else len(reports)
    if count:
        sent = [event["id"] for event in events[:count]]
        # Losing this write costs one repeat with the same ce_id, so it need not wait for the journal.
        relaxed = orders.with_options(write_concern=WriteConcern(w=1, j=False))
        removal = {"$pull": {"outbox": {"id": {"$in": sent}}}, "$unset": {"outboxLease": 1}}
        relaxed.update_one({"_id": order_id}, removal)
    return count
