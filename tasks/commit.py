"""`commit(writes) -> outcomes`: the one way in which orders change, one write or many together.

The whole may be cut off after any step and run again, beside itself too: tasks/storing.py stores the orders, then their
events are sent or stay in the outbox, then the outcomes are recorded, the messages acknowledged and the writes queued
that waited for these; last, what was sent leaves the outbox.
"""

import logging
from collections.abc import Sequence
from functools import partial

from celery.states import READY_STATES
from pymongo.errors import PyMongoError

from models import rejections
from models.rounds import rounds
from models.scripts import call_all
from models.writes import Outcome, Write
from tasks import outbox
from tasks.done import Done
from tasks.grouped import MAX_STARTS
from tasks.outbox import SOON, Confirmed
from tasks.patience import persist
from tasks.stores import Stores
from tasks.storing import store

_log = logging.getLogger(__name__)


def commit(writes: Sequence[Write], stores: Stores) -> list[Outcome]:
    """Carry out accepted writes, whatever servers do meanwhile; return their outcomes in the same order."""
    outcomes: dict[int, Outcome] = {}
    for group in rounds([write.order_id for write in writes]):  # a message may be in a queue twice
        ended = _commit_group([writes[place] for place in group], stores)
        outcomes |= zip(group, ended, strict=True)
    return [outcomes[place] for place in range(len(writes))]


def _commit_group(writes: Sequence[Write], stores: Stores) -> list[Outcome]:
    """Commit writes to different orders; where one of them makes it fail, find out which by halves."""
    try:
        done, emails = persist(partial(store, writes, stores))
    except Exception as error:
        if len(writes) == 1:
            _log.exception("write %s of order %s is parked", writes[0].task_id, writes[0].order_id)
            return [park(writes[0], stores, f"it raised {type(error).__name__}")]
        _log.warning("a group of %d is halved: %s", len(writes), type(error).__name__)
        stores.counts["batches_halved"] += 1
        middle = len(writes) // 2
        return _commit_group(writes[:middle], stores) + _commit_group(writes[middle:], stores)
    sent = _announce(writes, done, emails, stores)
    ended = [(write, done[write.task_id].outcome) for write in writes]
    persist(partial(_end, ended, sent, stores))
    return [outcome for _, outcome in ended]


def _announce(
    writes: Sequence[Write], done: dict[str, Done], emails: dict[str, str], stores: Stores
) -> list[Confirmed]:
    """Send the events, each right after its commit; return those that Kafka has."""
    unsent = {write.order_id: done[write.task_id].unsent for write in writes}
    try:
        return outbox.send_now(stores.outbox, unsent, emails)
    except Exception as error:
        # The orders are stored, and their outboxes hold the events: whatever this was, no write has failed.
        _log.warning("the events of %d writes are left to the sweep: %s", len(writes), type(error).__name__)
        return []


def _end(ended: Sequence[tuple[Write, Outcome]], sent: Sequence[Confirmed], stores: Stores) -> None:
    """End the writes and note in the ledger what was sent, in one round trip; then that may leave the outboxes."""
    noting = stores.stock.noting_published(outbox.holding(sent))
    ending = stores.records.succeeding(ended, stores.counts)
    *noted, end = call_all(stores.client, [*noting, ending], raise_on_error=False)
    if isinstance(end, Exception):
        raise end
    stores.counts.clear()
    failed = next((answer for answer in noted if isinstance(answer, Exception)), None)
    try:
        if failed is None:
            outbox.remove(stores.outbox, sent, SOON)
    except PyMongoError as error:
        failed = error
    if failed is not None:
        _log.warning("%d sent events stay in their outboxes, for the sweep: %s", len(sent), type(failed).__name__)


def park(write: Write, stores: Stores, reason: str, starts: int = 1) -> Outcome:
    """Put a write that can't be carried out aside for an operator."""
    problem = rejections.parked(reason)
    persist(partial(stores.records.park, write, problem, reason, starts))
    return Outcome(write.order_id, "parked", problem)


def start_again(write: Write, stores: Stores) -> Outcome:
    """Carry out a write that was taken before and never ended: by itself, and only so often."""
    ended = persist(partial(stores.records.find, write.task_id))
    if ended is not None and ended["status"] in READY_STATES:
        persist(partial(stores.records.acknowledge, [write.delivery_tag] if write.delivery_tag else []))
        result = ended["result"] or {}
        return Outcome(write.order_id, result.get("outcome", "rejected"), result.get("problem") or ended.get("problem"))
    stores.counts["writes_alone"] += 1
    starts = persist(partial(stores.records.count_start, write.task_id))
    if starts >= MAX_STARTS:
        _log.error("write %s of order %s is parked: it has ended %d workers", write.task_id, write.order_id, starts - 1)
        return park(write, stores, f"it was started {starts - 1} times and never ended", starts)
    return commit([write], stores)[0]
