"""The outbox: an order's events stay in its document until Kafka has confirmed them.

They are sent right after the commit, all of a group together; what is left (Kafka was away, a worker died) the sweep
finds, leases, and sends whole and in order per order. What Kafka has is noted on the stock's holds first, and only then
leaves its outbox: an event that is not in one any more would leave its hold unpublished for good, while losing the
second step costs one repeat with the same `ce_id`.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pymongo
import redis
from confluent_kafka import KafkaError
from pymongo import ASCENDING, WriteConcern
from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from models.customers import Customers
from models.ids import new_id
from models.order import OrderDocument, OutboxEvent, ParkedEvent
from models.representations import timestamp
from models.stock import Sent, Stock
from tasks.events import order_event
from tasks.publisher import DELIVERY_TIMEOUT, Delivery, Publisher
from tasks.transport.scripts import COUNTS

SEND_NOW_TIMEOUT = 1.0
"""Seconds a commit waits for Kafka, or for a second look at outboxes, before it leaves its events to the sweep."""

SWEEP_TIMEOUT = 10.0
"""Seconds a sweep waits for the reports of one round of events."""

LEASE = timedelta(seconds=60)
"""How long one sweep has an order's outbox for itself."""

AGAIN = timedelta(seconds=5)
"""How long after a sweep's start what it could not send may be tried again."""

SETTLED_AFTER = timedelta(seconds=2 * DELIVERY_TIMEOUT)
"""An event older than this is in no producer's hands any more."""

SWEEP_LIMIT = 500
"""Orders that one sweep leases at a time."""

STATE_KEY = "outbox:state"
"""Hash in Redis: how many orders have something to send (`depth`), since when (`oldest`), and when that was seen."""

NEVER = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD, KafkaError.INVALID_MSG}
"""What Kafka says of an event that it will not take tomorrow either."""

SOON, SEEN = WriteConcern(w=0), WriteConcern(w=1, j=False)
"""How the removal of sent events is waited for: not at all, or until MongoDB shows it. None needs to be durable."""

_log = logging.getLogger(__name__)

Unsent = tuple[str, OutboxEvent]
"""An order's id and one of its events."""

Confirmed = tuple[Unsent, Delivery]
"""An event that Kafka has, with its delivery report."""


@dataclass(frozen=True, slots=True)
class Outbox:
    """The outboxes of all orders, and what sending takes."""

    orders: "Collection[OrderDocument]"
    customers: Customers
    stock: Stock
    publisher: Publisher
    client: "redis.Redis"


@dataclass(slots=True)
class Swept:
    """How many events a sweep has sent, parked, and had to leave."""

    sent: int = 0
    parked: int = 0
    left: int = 0


def send_now(box: Outbox, outboxes: Mapping[str, Sequence[OutboxEvent]], emails: Mapping[str, str]) -> list[Confirmed]:
    """Send what commits have just stored, unless Kafka was away a moment ago; return what Kafka has confirmed.

    `outboxes` are the orders' as they were stored. Where something older of an order still waits, the sweep sends all.
    """
    if box.publisher.resting:
        return []
    left = dict(outboxes) | _looked_at_again(box, [order_id for order_id, events in outboxes.items() if events[1:]])
    heads = [(order_id, events[0]) for order_id, events in left.items() if len(events) == 1]
    return _confirmed(heads, _send(box, heads, emails, SEND_NOW_TIMEOUT))


def _looked_at_again(box: Outbox, order_ids: Sequence[str]) -> dict[str, list[OutboxEvent]]:
    """Return the outboxes of these orders now.

    The event of an order's last write leaves its outbox while the next write begins (`SOON`), and is often gone by the
    time that one has been stored. Where MongoDB does not answer, these orders are the sweep's, and the others go on.
    """
    if not order_ids:
        return {}
    try:
        with pymongo.timeout(SEND_NOW_TIMEOUT):
            found = box.orders.find({"_id": {"$in": order_ids}}, {"outbox": 1}).to_list()
    except PyMongoError as error:
        _log.warning("the outboxes of %d orders are left to the sweep: %s", len(order_ids), type(error).__name__)
        return {}
    return {order["_id"]: order["outbox"] for order in found}


def sweep(box: Outbox, now: datetime) -> Swept:
    """Send what is left in outboxes, oldest first, until there is nothing more or Kafka takes nothing."""
    swept = Swept()
    while orders := _lease(box, now):
        before = swept.sent + swept.parked
        _sweep_some(box, orders, now, swept)
        if swept.sent + swept.parked == before:
            break
    _note_state(box, now, swept)
    return swept


def _lease(box: Outbox, now: datetime) -> list[OrderDocument]:
    """Lease the orders that have waited longest; nobody else sends for them meanwhile."""
    due = {"outbox.at": {"$lt": now - SETTLED_AFTER}}
    free = {"$or": [{"outboxLease.until": {"$exists": False}}, {"outboxLease.until": {"$lt": now}}]}
    oldest = box.orders.find(due | free, {"_id": 1}, sort=[("outbox.at", ASCENDING)], limit=SWEEP_LIMIT)
    ids = {"_id": {"$in": [order["_id"] for order in oldest]}}
    lease = {"by": new_id(), "until": now + LEASE}
    box.orders.update_many(ids | due | free, {"$set": {"outboxLease": lease}})
    return list(box.orders.find(ids | {"outboxLease.by": lease["by"]}, {"outbox": 1}, sort=[("outbox.at", ASCENDING)]))


def _sweep_some(box: Outbox, orders: Sequence[OrderDocument], now: datetime, swept: Swept) -> None:
    """Send in rounds, one event of each order at a time: an order's next one only when the one before has arrived."""
    waiting = {order["_id"]: list(order["outbox"]) for order in orders}
    stuck: set[str] = set()
    while heads := [(order_id, events[0]) for order_id, events in waiting.items() if events]:
        users = [event["order"].get("userId") for _, event in heads]
        emails = box.customers.emails(user for user in users if isinstance(user, str))
        outcomes = _send(box, heads, emails, SWEEP_TIMEOUT)
        sent = _confirmed(heads, outcomes)
        box.stock.published(holding(sent))
        remove(box, sent, SEEN)
        for (order_id, event), outcome in zip(heads, outcomes, strict=True):
            if isinstance(outcome, Delivery):
                swept.sent += 1
                waiting[order_id].pop(0)
            elif isinstance(outcome, str):
                _park(box, order_id, ParkedEvent(id=event["id"], reason=outcome, event=event, at=now))
                swept.parked += 1
                waiting[order_id].pop(0)
            else:
                stuck.add(order_id)
                swept.left += len(waiting.pop(order_id))
    # Not at once, or they would be all that this sweep ever leases.
    box.orders.update_many({"_id": {"$in": list(stuck)}}, {"$set": {"outboxLease.until": now + AGAIN}})


def _send(
    box: Outbox, unsent: Sequence[Unsent], emails: Mapping[str, str], timeout: float
) -> list[Delivery | str | None]:
    """Send events of different orders; return for each its report, why it never can be sent, or None."""
    outcomes: list[Delivery | str | None] = [None] * len(unsent)
    messages, places = [], []
    for place, (order_id, event) in enumerate(unsent):
        try:
            messages.append(order_event(event, order_id, emails.get(event["order"]["userId"])))
            places.append(place)
        except (TypeError, ValueError, KeyError) as error:
            outcomes[place] = f"it can't be written as JSON: {type(error).__name__}"
    for place, report in zip(places, box.publisher.deliver(messages, timeout), strict=True):
        if isinstance(report, KafkaError):
            outcomes[place] = report.name() if report.code() in NEVER else None
        else:
            outcomes[place] = report
    return outcomes


def _confirmed(unsent: Sequence[Unsent], outcomes: Sequence[Delivery | str | None]) -> list[Confirmed]:
    return [(each, outcome) for each, outcome in zip(unsent, outcomes, strict=True) if isinstance(outcome, Delivery)]


def holding(sent: Sequence[Confirmed]) -> list[Sent]:
    """Return what the ledger must know of these events, as far as they hold stock."""
    return [
        Sent(event["id"], event["takes"], event["topic"], report.partition, report.offset, report.at)
        for (_, event), report in sent
        if event.get("takes")
    ]


def remove(box: Outbox, sent: Sequence[Confirmed], concern: WriteConcern) -> None:
    """Take events that the ledger knows to be on Kafka out of their outboxes."""
    if sent:
        box.orders.with_options(write_concern=concern).update_many(
            {"_id": {"$in": [order_id for (order_id, _), _ in sent]}},
            {
                "$pull": {"outbox": {"id": {"$in": [event["id"] for (_, event), _ in sent]}}},
                "$unset": {"outboxLease": 1},
                "$max": {"publishedAt": datetime.fromtimestamp(max(report.at for _, report in sent) / 1000, UTC)},
            },
        )


def _park(box: Outbox, order_id: str, aside: ParkedEvent) -> None:
    """Put an event aside that can't be sent, so that the order's later ones go on."""
    _log.error("event %s can't be sent and is parked in its order: %s", aside["id"], aside["reason"])
    change = {"$pull": {"outbox": {"id": aside["id"]}}, "$push": {"parkedEvents": aside}}
    box.orders.update_one({"_id": order_id, "outbox.id": aside["id"]}, change)


def _note_state(box: Outbox, now: datetime, swept: Swept) -> None:
    unsent = {"outbox.at": {"$exists": True}}
    oldest = box.orders.find_one(unsent, {"outbox.at": 1}, sort=[("outbox.at", ASCENDING)])
    state: dict[Any, Any] = {
        "depth": box.orders.count_documents(unsent),
        "oldest": timestamp(min(event["at"] for event in oldest["outbox"])) if oldest else "",
        "at": timestamp(now),
    }
    with box.client.pipeline(transaction=True) as pipeline:
        pipeline.hset(STATE_KEY, mapping=state)
        pipeline.hincrby(COUNTS, "events_swept", swept.sent)
        pipeline.hincrby(COUNTS, "events_parked", swept.parked)
        pipeline.execute()
