"""How the writes of one group are stored: a few commands for all of them, and safe to run again after any of these.

1. The orders are read, but for new ones; a transition that carries a task's id means that its work is done.
2. The stock of all is decided in one script, once for each `(orderId, version)`: a rerun gets the same answers.
3. All are stored in one bulk write, each order in one atomic step, under the version it was read with.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from celery.states import READY_STATES, SUCCESS
from pymongo.errors import BulkWriteError

from models import fence, rejections, transitions
from models.customers import Customer
from models.movements import Decision, Movement
from models.order import OrderDocument, OutboxEvent
from models.rejections import Problem
from models.transitions import Transition, entry_of
from models.writes import Outcome, Write
from tasks.patience import DUPLICATE_KEY, TryLaterError
from tasks.records import LIFETIME, Record
from tasks.stores import Stores

NEW = timedelta(seconds=LIFETIME / 2)
"""Since its acceptance, while which a create is tried without a look for its order. Had it been stored before, what was
decided about its stock would still be known, so nothing would move twice, and MongoDB would not take the order again.
"""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Done:
    """A write's outcome, with the events that its order has not sent."""

    outcome: Outcome
    unsent: list[OutboxEvent] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Ready:
    """A write whose transition is known: what was stored before (None for most creates) and the order after."""

    write: Write
    before: OrderDocument | None
    made: Transition
    forbid: Problem | None = None

    @property
    def version(self) -> int:
        return self.made.order["version"]


def store(writes: Sequence[Write], stores: Stores) -> tuple[dict[str, Done], dict[str, Customer]]:
    """Carry out writes to different orders, up to their place in MongoDB.

    Return how each ended, by task, and what is known of the orders' customers, by user.

    Raises
    ------
    Exception
        where a server is away (see tasks/patience.py), or where one of the writes can't be carried out: the caller
        finds out which.

    """
    done: dict[str, Done] = {}
    customers: dict[str, Customer] = {}
    oldest_new = stores.clock() - NEW
    unread = {write.task_id for write in writes if write.kind == "create" and write.accepted_at > oldest_new}
    left = list(writes)
    while left:
        before = _read([write for write in left if write.task_id not in unread], stores)
        left = _attempt(left, before, stores, done, customers)
        unread.clear()
    return done, customers


def _attempt(
    writes: Sequence[Write],
    before: Mapping[str, OrderDocument],
    stores: Stores,
    done: dict[str, Done],
    customers: dict[str, Customer],
) -> list[Write]:
    """Do what can be done now; return the writes whose orders were changed meanwhile."""
    # Only after the orders were read: had a later write changed one by then, ours would be seen to have ended.
    ended = stores.records.find_all([write.task_id for write in writes if write.kind != "create"])
    creators = {write.body["userId"] for write in writes if write.kind == "create"}
    owners = {order.get("userId") for order in before.values()}
    customers |= stores.customers.find(creators | {owner for owner in owners if isinstance(owner, str)})
    ready = []
    for write in writes:
        found = _decide(write, before.get(write.order_id), ended.get(write.task_id), customers, stores)
        if isinstance(found, Done):
            done[write.task_id] = found
        else:
            ready.append(found)
    allowed, again = _move_stock(ready, stores, done)
    return again + _store(allowed, stores, done)


def _read(writes: Sequence[Write], stores: Stores) -> dict[str, OrderDocument]:
    if not writes:
        return {}
    found = stores.orders.find({"_id": {"$in": [write.order_id for write in writes]}})
    return {order["_id"]: order for order in found}


def _decide(
    write: Write,
    before: OrderDocument | None,
    record: Record | None,
    customers: Mapping[str, Customer],
    stores: Stores,
) -> Done | _Ready:
    """Return what the write makes of its order, or how it ended already."""
    if (known := _ended_before(write, before, record, stores)) is not None:
        return known
    now = stores.clock()
    if write.kind == "create":
        return _create(write, before, now, customers[write.body["userId"]], stores)
    if before is None or "deletedAt" in before:
        return _rejected(write, rejections.not_found(write.order_id))
    if write.if_match is not None and write.if_match != before["version"]:
        return _rejected(write, rejections.stale(write.if_match, before["version"]))
    change = transitions.update if write.kind == "update" else transitions.delete
    made = change(before, write, now)
    return _Ready(write, before, made) if isinstance(made, Transition) else _rejected(write, made)


def _ended_before(write: Write, before: OrderDocument | None, record: Record | None, stores: Stores) -> Done | None:
    """Return how the write ended, where it was carried out before or may not be any more."""
    if (found := _done_before(before, write, stores)) is not None:
        return found
    if fence.is_discarded(before, write.task_id):
        stores.counts["discarded_refused"] += 1
        return _rejected(write, rejections.discarded())
    if record is not None and record["status"] == SUCCESS:
        result = record["result"]
        return Done(Outcome(result["orderId"], result["outcome"], result["problem"]))
    return None


def _create(write: Write, before: OrderDocument | None, now: datetime, customer: Customer, stores: Stores) -> _Ready:
    if customer.wants_notifications:
        return _Ready(write, before, transitions.create(write, now))
    if stores.notifications_off == "accept":
        return _Ready(write, before, transitions.create(write, now, notify=False))
    forbid = rejections.notifications_off(write.body["userId"])
    return _Ready(write, before, transitions.create(write, now), forbid)


def _move_stock(ready: Sequence[_Ready], stores: Stores, done: dict[str, Done]) -> tuple[list[_Ready], list[Write]]:
    """Move the stock of all; return those that may be stored, and the writes that must look again."""
    moving = [each for each in ready if each.made.takes or each.write.kind == "create"]
    movements = [
        Movement(each.write.order_id, each.version, each.write.task_id, each.made.takes, each.forbid) for each in moving
    ]
    decisions = dict(zip((each.write.task_id for each in moving), stores.stock.move(movements), strict=True))
    # Where Redis has lost what was decided before, a new order may be stored that is refused now.
    refused = [each.write for each in ready if each.before is None and decisions[each.write.task_id].problem]
    stored = _read(refused, stores)
    allowed, again = [], []
    for each in ready:
        decision = decisions.get(each.write.task_id)
        if decision is not None and decision.task_id != each.write.task_id:
            _free(each, decision, stores)
            again.append(each.write)
        elif decision is not None and decision.problem:
            before = _done_before(stored.get(each.write.order_id), each.write, stores)
            done[each.write.task_id] = before or _rejected(each.write, decision.problem, each.version)
        else:
            allowed.append(each)
    return allowed, again


def _free(each: _Ready, decision: Decision, stores: Stores) -> None:
    """Undo a movement that another task made for this version and will never store."""
    order_id, holder = each.write.order_id, decision.task_id
    record = stores.records.find(holder)
    if record is not None and record["status"] not in READY_STATES:
        raise TryLaterError("the stock of this version was decided for another write")
    # It has ended, so what it stored can be seen by now; if it did, our look at the order was older than that.
    stored = stores.orders.find_one({"_id": order_id}, {"timeline.taskId": 1})
    if stored is None or all(entry["taskId"] != holder for entry in stored["timeline"]):
        stores.stock.undo(order_id, each.version, holder)


def _store(ready: Sequence[_Ready], stores: Stores, done: dict[str, Done]) -> list[Write]:
    """Store the transitions in one bulk write; return the writes whose orders somebody else has changed."""
    if not ready:
        return []
    updates = sum(each.before is not None for each in ready)
    doubtful: list[_Ready] = []
    try:
        result: Mapping[str, Any] = stores.orders.bulk_write(
            [fence.storing(each.write.task_id, each.before, each.made.order) for each in ready], ordered=False
        ).bulk_api_result
    except BulkWriteError as error:
        result = cast("Mapping[str, Any]", error.details)
        if result["writeConcernErrors"] or any(each["code"] != DUPLICATE_KEY for each in result["writeErrors"]):
            raise
        doubtful = [ready[each["index"]] for each in result["writeErrors"]]
    if result["nMatched"] < updates:
        doubtful += [each for each in ready if each.before is not None]
    looked_at = _read([each.write for each in doubtful], stores)
    unsure = {each.write.task_id for each in doubtful}
    again = []
    for each in ready:
        write, after = each.write, each.made.order
        if write.task_id not in unsure:
            entry = after["timeline"][-1]
            done[write.task_id] = Done(Outcome(write.order_id, entry["change"], version=each.version), after["outbox"])
        elif (found := _done_before(looked_at.get(write.order_id), write, stores)) is not None:
            done[write.task_id] = found
        else:
            _give_way(each, looked_at.get(write.order_id), stores)
            again.append(write)
    return again


def _give_way(each: _Ready, stored: OrderDocument | None, stores: Stores) -> None:
    """Undo the movement of a write that somebody else was quicker than: another write, or its own discard."""
    if each.write.kind == "create" and not fence.is_discarded(stored, each.write.task_id):
        if stored is not None and not fence.is_placeholder(stored):
            # Ids of creates are made here, so this is no order of ours; whoever sent it must look at it.
            raise ValueError(f"order {each.write.order_id} was created by another task")
        return  # a change to it was discarded meanwhile: this one is stored onto the placeholder, by the same movement
    # Another run of this task would have stored it by the same movement; this was somebody else.
    stores.stock.undo(each.write.order_id, each.version, each.write.task_id)


def _done_before(stored: OrderDocument | None, write: Write, stores: Stores) -> Done | None:
    """Return the outcome recorded in the order, where this task has changed it before."""
    entry = entry_of(stored, write.task_id) if stored else None
    if stored is None or entry is None:
        return None
    _log.info("order %s: version %d was stored before", write.order_id, entry["version"])
    stores.counts["writes_found_done"] += 1
    return Done(Outcome(write.order_id, entry["change"], version=entry["version"]), stored["outbox"])


def _rejected(write: Write, problem: Problem, version: int = 0) -> Done:
    return Done(Outcome(write.order_id, "rejected", problem, version))
