"""How the writes of one group are stored: a few commands for all of them, and safe to run again after any of these.

1. The orders are read, but for new ones; a transition that carries a task's id means that its work is done.
2. The stock of all is decided in one script, once for each `(orderId, version)`: a rerun gets the same answers.
3. All are stored in one bulk write, each order in one atomic step, under the version it was read with.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, cast

from celery.states import SUCCESS
from pymongo.errors import BulkWriteError

from models import fence, rejections, transitions
from models.order import OrderDocument
from models.transitions import Transition
from models.writes import Outcome, Write
from tasks.done import Done, done_before, read_orders, rejected
from tasks.moving import Ready, move_stock
from tasks.patience import DUPLICATE_KEY
from tasks.records import LIFETIME, Record
from tasks.stores import Stores

NEW = timedelta(seconds=LIFETIME / 2)
"""Since its acceptance, while which a create is tried without a look for its order. Had it been stored before, what was
decided about its stock would still be known, so nothing would move twice, and MongoDB would not take the order again.
"""


def store(writes: Sequence[Write], stores: Stores) -> tuple[dict[str, Done], dict[str, str]]:
    """Carry out writes to different orders, up to their place in MongoDB.

    Return how each ended, by task, and the e-mails of the orders' customers, by user.

    Raises
    ------
    Exception
        where a server is away (see tasks/patience.py), or where one of the writes can't be carried out: the caller
        finds out which.

    """
    done: dict[str, Done] = {}
    emails: dict[str, str] = {}
    oldest_new = stores.clock() - NEW
    unread = {write.task_id for write in writes if write.kind == "create" and write.accepted_at > oldest_new}
    left = list(writes)
    while left:
        before = read_orders([write for write in left if write.task_id not in unread], stores)
        left = _attempt(left, before, stores, done, emails)
        unread.clear()
    return done, emails


def _attempt(
    writes: Sequence[Write],
    before: Mapping[str, OrderDocument],
    stores: Stores,
    done: dict[str, Done],
    emails: dict[str, str],
) -> list[Write]:
    """Do what can be done now; return the writes whose orders were changed meanwhile."""
    # Only after the orders were read: had a later write changed one by then, ours would be seen to have ended.
    ended = stores.records.find_all([write.task_id for write in writes if write.kind != "create"])
    ready = []
    for write in writes:
        found = _decide(write, before.get(write.order_id), ended.get(write.task_id), stores)
        if isinstance(found, Done):
            done[write.task_id] = found
        else:
            ready.append(found)
    creators = {write.body["userId"] for write in writes if write.kind == "create"}
    owners = {order.get("userId") for order in before.values()}
    users = [user for user in creators | owners if isinstance(user, str)]
    storable, again = move_stock(ready, users, stores, done, emails)
    return again + _store(storable, stores, done)


def _decide(
    write: Write,
    before: OrderDocument | None,
    record: Record | None,
    stores: Stores,
) -> Done | Ready:
    """Return what the write makes of its order, or how it ended already."""
    if (known := _ended_before(write, before, record, stores)) is not None:
        return known
    now = stores.clock()
    if write.kind == "create":
        forbid = None if stores.notifications_off == "accept" else rejections.notifications_off(write.body["userId"])
        return Ready(write, before, transitions.create(write, now), forbid)
    if before is None or "deletedAt" in before:
        return rejected(write, rejections.not_found(write.order_id))
    if write.if_match is not None and write.if_match != before["version"]:
        return rejected(write, rejections.stale(write.if_match, before["version"]))
    change = transitions.update if write.kind == "update" else transitions.delete
    made = change(before, write, now)
    return Ready(write, before, made) if isinstance(made, Transition) else rejected(write, made)


def _ended_before(write: Write, before: OrderDocument | None, record: Record | None, stores: Stores) -> Done | None:
    """Return how the write ended, where it was carried out before or may not be any more."""
    if (found := done_before(before, write, stores)) is not None:
        return found
    if fence.is_discarded(before, write.task_id):
        stores.counts["discarded_refused"] += 1
        return rejected(write, rejections.discarded())
    if record is not None and record["status"] == SUCCESS:
        result = record["result"]
        return Done(Outcome(result["orderId"], result["outcome"], result["problem"]))
    return None


def _store(ready: Sequence[Ready], stores: Stores, done: dict[str, Done]) -> list[Write]:
    """Store the transitions in one bulk write; return the writes whose orders somebody else has changed."""
    if not ready:
        return []
    updates = sum(each.before is not None for each in ready)
    doubtful: list[Ready] = []
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
    looked_at = read_orders([each.write for each in doubtful], stores)
    unsure = {each.write.task_id for each in doubtful}
    again = []
    for each in ready:
        write, after = each.write, each.made.order
        if write.task_id not in unsure:
            entry = after["timeline"][-1]
            done[write.task_id] = Done(Outcome(write.order_id, entry["change"], version=each.version), after["outbox"])
        elif (found := done_before(looked_at.get(write.order_id), write, stores)) is not None:
            done[write.task_id] = found
        else:
            _give_way(each, looked_at.get(write.order_id), stores)
            again.append(write)
    return again


def _give_way(each: Ready, stored: OrderDocument | None, stores: Stores) -> None:
    """Undo the movement of a write that somebody else was quicker than: another write, or its own discard."""
    if each.write.kind == "create" and not fence.is_discarded(stored, each.write.task_id):
        if stored is not None and not fence.is_placeholder(stored):
            # Ids of creates are made here, so this is no order of ours; whoever sent it must look at it.
            raise ValueError(f"order {each.write.order_id} was created by another task")
        return  # a change to it was discarded meanwhile: this one is stored onto the placeholder, by the same movement
    # Another run of this task would have stored it by the same movement; this was somebody else.
    stores.stock.undo(each.write.order_id, each.version, each.write.task_id)
