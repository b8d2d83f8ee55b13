"""`commit(writes) -> outcomes`: the one way in which orders change.

Each step may be the last one before a crash, and the whole may run again, beside itself too:

1. the order is read; a transition that carries this task's id means that the work is done;
2. the stock is decided, once for `(orderId, version)`: a rerun gets the same answer;
3. the order is stored in one atomic write, under the version it was read with;
4. its event is sent, or stays in the outbox;
5. the outcome is recorded, and the next write to the order is queued.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal, cast

from celery.states import READY_STATES
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError, PyMongoError

from models import rejections, transitions
from models.connections import orders, redis_client
from models.customers import Customers
from models.order import OrderDocument, OutboxEvent
from models.stock import Movement, Stock
from models.transitions import Transition, entry_of
from models.writes import Outcome, Write
from settings import settings
from tasks import outbox
from tasks.patience import TryLaterError, is_outage, persist
from tasks.publisher import Publisher, publisher
from tasks.records import Records

SERVER_TIMEOUT = 10.0
"""Seconds a worker waits for one answer of MongoDB or Redis before it tries again."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stores:
    """Everything a commit changes, and its clock."""

    orders: "Collection[OrderDocument]"
    stock: Stock
    customers: Customers
    records: Records
    publisher: Publisher
    notifications_off: Literal["reject", "accept"]
    clock: Callable[[], datetime]


def now() -> datetime:
    """Return the time in UTC, in whole milliseconds as MongoDB keeps it."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def open_stores() -> Stores:
    """Return this process's stores; connections are opened at first use."""
    client = redis_client(SERVER_TIMEOUT)
    return Stores(
        orders=orders(SERVER_TIMEOUT),
        stock=Stock(client),
        customers=Customers(client),
        records=Records(client),
        publisher=publisher(),
        notifications_off=settings().notifications_off,
        clock=now,
    )


@dataclass(frozen=True, slots=True)
class _Done:
    """A write's outcome, with the events that its order has not sent."""

    outcome: Outcome
    unsent: list[OutboxEvent]


def commit(writes: Sequence[Write], stores: Stores) -> list[Outcome]:
    """Carry out accepted writes, whatever servers do meanwhile; return their outcomes in the same order."""
    return [_commit_one(write, stores) for write in writes]


def _commit_one(write: Write, stores: Stores) -> Outcome:
    done = persist(partial(_create if write.kind == "create" else _change, write, stores))
    if done.unsent:
        _send(write, done.unsent, stores)
    persist(partial(stores.records.succeed, write, done.outcome))
    return done.outcome


def _send(write: Write, unsent: list[OutboxEvent], stores: Stores) -> None:
    try:
        outbox.send_now(stores.orders, stores.customers, stores.publisher, write.order_id, unsent)
    except Exception as error:
        # The order is stored, and its outbox holds the event: whatever this was, the write has not failed.
        _log.warning("order %s: its event is left to the sweep: %s", write.order_id, type(error).__name__)


def _create(write: Write, stores: Stores) -> _Done:
    if (done := _done_before(stores.orders.find_one({"_id": write.order_id}), write)) is not None:
        return done
    forbid, notify = None, None
    if not stores.customers.wants_notifications(write.body["userId"]):
        if stores.notifications_off == "reject":
            forbid = rejections.notifications_off(write.body["userId"])
        else:
            notify = False
    made = transitions.create(write, stores.clock(), notify=notify)
    [decision] = stores.stock.move([Movement(write.order_id, 1, write.task_id, made.takes, forbid)])
    if decision.problem:
        return _rejected(write, decision.problem, version=1)
    try:
        _store(stores, write, made, partial(stores.orders.insert_one, made.order))
    except DuplicateKeyError:
        # Another run of this task stored it since we looked, by the same decision on its stock.
        done = _done_before(stores.orders.find_one({"_id": write.order_id}), write)
        if done is None:
            raise
        return done
    return _Done(Outcome(write.order_id, "created", version=1), made.order["outbox"])


def _change(write: Write, stores: Stores) -> _Done:
    while True:
        before = stores.orders.find_one({"_id": write.order_id})
        if (done := _done_before(before, write)) is not None:
            return done
        # Only after the order was read: had a later write changed it by then, ours would be seen to have ended.
        if (ended := stores.records.outcome(write.task_id)) is not None:
            return _Done(ended, [])
        if before is None or "deletedAt" in before:
            return _rejected(write, rejections.not_found(write.order_id))
        change = transitions.update if write.kind == "update" else transitions.delete
        made = change(before, write, stores.clock())
        if not isinstance(made, Transition):
            return _rejected(write, made)
        version = made.order["version"]
        if (problem := _take(write, made, stores)) is not None:
            return _rejected(write, problem, version=version)
        if _replace(before, write, made, stores):
            entry = made.order["timeline"][-1]
            return _Done(Outcome(write.order_id, entry["change"], version=version), made.order["outbox"])


def _replace(before: OrderDocument, write: Write, made: Transition, stores: Stores) -> bool:
    """Store a changed order under the version it was read with; False where somebody was quicker."""
    unchanged = {"_id": write.order_id, "version": before["version"], "timeline.taskId": {"$ne": write.task_id}}
    update = partial(stores.orders.update_one, unchanged, _difference(before, made.order))
    if _store(stores, write, made, update).matched_count:
        return True
    stored = stores.orders.find_one({"_id": write.order_id})
    if stored is None or entry_of(stored, write.task_id) is None:
        # Another run of this task would have stored it by the same movement; this was somebody else.
        stores.stock.undo(write.order_id, made.order["version"], write.task_id)
    return False


def _take(write: Write, made: Transition, stores: Stores) -> rejections.Problem | None:
    """Move the stock of a changed order; return why not."""
    if not made.takes:
        return None
    version = made.order["version"]
    [decision] = stores.stock.move([Movement(write.order_id, version, write.task_id, made.takes)])
    if decision.task_id == write.task_id:
        return decision.problem
    holder = stores.records.find(decision.task_id)
    if holder is None or holder["status"] in READY_STATES:
        # It ended (revoked, say) after it had moved stock for a version that it never stored.
        stores.stock.undo(write.order_id, version, decision.task_id)
    raise TryLaterError("the stock of this version was decided for another write")


def _store(stores: Stores, write: Write, made: Transition, store: Callable[[], Any]) -> Any:
    """Store a transition; where MongoDB refuses it for good, its stock goes back."""
    try:
        return store()
    except DuplicateKeyError:
        raise
    except PyMongoError as error:
        if not is_outage(error):
            stores.stock.undo(write.order_id, made.order["version"], write.task_id)
        raise


def _done_before(stored: OrderDocument | None, write: Write) -> _Done | None:
    """Return the outcome recorded in the order, where this task has changed it before."""
    entry = entry_of(stored, write.task_id) if stored else None
    if stored is None or entry is None:
        return None
    _log.info("order %s: version %d was stored before", write.order_id, entry["version"])
    return _Done(Outcome(write.order_id, entry["change"], version=entry["version"]), stored["outbox"])


def _rejected(write: Write, problem: rejections.Problem, version: int = 0) -> _Done:
    return _Done(Outcome(write.order_id, "rejected", problem, version), [])


def _difference(before: OrderDocument, after: OrderDocument) -> dict[str, Any]:
    """Return the MongoDB update between two states; the outbox is added to, never replaced: a sweep may empty it."""
    old, new = cast("dict[str, Any]", before), cast("dict[str, Any]", after)
    appended = ("timeline", "outbox")
    return {
        "$set": {key: new[key] for key in new if key not in appended and new[key] != old.get(key)},
        "$push": {key: new[key][-1] for key in appended},
    }
