"""The invariants, seen from outside: answers, Celery's records, MongoDB's documents, Redis' keys, Kafka's events.

Everything is compared when nothing is in motion any more; what is wrong is a violation with its row and the evidence.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, cast

from celery.states import SUCCESS

from models.ids import new_id
from models.transitions import TOPICS
from tests.faults.journal import Journal, Write
from tests.faults.outside import Outside, Seen
from tests.faults.products import EXCLUDED, Products
from tests.faults.quiet import chunks, records
from tests.faults.shop import SETTLE_SECONDS, Shop
from tests.processes import eventually

What = Literal["lost", "doubled", "oversold", "missing", "other"]
TAKES_EFFECT = frozenset({"created", "updated", "deleted"})
SAME_MOMENT_MS = 500
SOLD = {
    "status": {"$ne": "cancelled"},
    "$or": [{"deletedAt": None}, {"status": {"$in": ["shipped", "delivered"]}}],
}
SHOWN = {"timeline": 1, "version": 1, "outbox": 1, "metadata": 1}


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that is never allowed to happen, and has; `units` is how often."""

    row: str
    what: What
    evidence: str
    units: int = 1


@dataclass(frozen=True, slots=True)
class Ended:
    """How an accepted write ended: its outcome, or why that is none."""

    outcome: str | None
    reason: str = ""


class Checks:
    """Compares what was promised with what is there, each write once."""

    def __init__(self, shop: Shop, journal: Journal, outside: Outside, products: Products) -> None:
        self._shop, self._journal, self._outside, self._products = shop, journal, outside, products
        self._ended: dict[str, Ended] = {}
        self._since = new_id()
        self._told: set[str] = set()
        self._oversold: Counter[str] = Counter()
        self._drift: dict[str, int] = defaultdict(int)

    def all(self) -> list[Violation]:
        """Check everything since the last time, and all stock; what was found before is not told again."""
        found = [*self.writes(), *self.stock(), *self.dead_letters(), *self.logins()]
        new = [violation for violation in found if violation.evidence not in self._told]
        self._told.update(violation.evidence for violation in new)
        return new

    def writes(self) -> Iterator[Violation]:
        """Every 202 reached its end exactly once, and what it did is in MongoDB and on Kafka exactly once."""
        tasks = set(self._journal.unchecked)
        self._journal.unchecked -= tasks
        for task_id, record in records(self._shop, tasks):
            self._ended[task_id] = _ended(record)
            yield from self._end(task_id, self._ended[task_id])
        touched = {self._journal.order_of[task_id] for task_id in tasks} | self._outside.take_touched()
        stored = self._stored(touched)
        yield from self._numbers(stored)
        for order_id in touched | stored.keys():
            yield from self._order(order_id, stored.get(order_id))

    def _order(self, order_id: str, order: dict[str, Any] | None) -> Iterator[Violation]:
        writes = self._journal.of_order.get(order_id, [])
        here = {task_id for write in writes for task_id in write.tasks if self._journal.order_of[task_id] == order_id}
        events = self._outside.events.get(order_id, {})
        for what, evidence in (
            *timeline_violations(order_id, order, writes, {task_id: self._ended[task_id] for task_id in here}),
            *event_violations(order_id, order, events),
        ):
            yield self._violation(what, evidence)

    def _end(self, task_id: str, ended: Ended) -> Iterator[Violation]:
        write = self._journal.accepted[task_id]
        if ended.outcome is None and not (write.poison and ended.reason == "is FAILURE (parked)"):
            yield self._violation("lost", f"{write.kind} {task_id} was accepted and {ended.reason}")
        if write.kind != "create" and len(write.tasks) > 1:
            yield self._violation("doubled", f"key {write.key} is several writes: {sorted(write.tasks)}")

    def _violation(self, what: What, evidence: str, units: int = 1) -> Violation:
        return Violation(self._journal.row, what, evidence, units)

    def _stored(self, touched: set[str]) -> dict[str, dict[str, Any]]:
        """Return the orders that were written to, those too of which no customer heard."""
        orders, since = self._shop.servers.orders(), self._since
        self._since = new_id()
        found: list[dict[str, Any]] = list(orders.find({"_id": {"$gte": since}}, SHOWN))
        for some in chunks(touched):
            found += orders.find({"_id": {"$in": some}}, SHOWN)
        return {order["_id"]: order for order in found}

    def _numbers(self, stored: dict[str, dict[str, Any]]) -> Iterator[Violation]:
        """Each create, however often it was asked for, is one order, and one that somebody wanted."""
        counts = Counter(order["metadata"]["write"] for order in stored.values())
        for number, count in counts.items():
            write = self._journal.writes[number]
            if count > 1:
                yield self._violation("doubled", f"create {number} (key {write.key}) is several orders", count - 1)

    def stock(self) -> Iterator[Violation]:
        """No unit is sold twice, and what can be ordered is what is there less what is sold."""
        sold = self._sold()
        for product in self._products.all.values():
            if product.id == EXCLUDED:
                continue
            units, there = sold[product.id], product.received - sold[product.id]
            if there < 0 and (more := -there - self._oversold[product.id]) > 0:
                self._oversold[product.id] = -there
                yield self._violation("oversold", f"{product.id}: {units} sold of {product.received}", more)
            key = self._key(product.id)
            if (key > there or (key < there and product.mode == "silent")) and self._drift[product.id] != key - there:
                yield self._violation("other", f"{product.id}: {key} can be ordered, {there} are there")
            self._drift[product.id] = key - there
        yield from self._last_levels(sold)

    def _last_levels(self, sold: "Counter[str]") -> Iterator[Violation]:
        """A level that includes everything leaves nothing held: then the key is exact."""

        def wrong() -> list[str]:
            return [
                f"{product.id}: {self._key(product.id)} can be ordered after a last level, {there} should be"
                for product in self._products.all.values()
                if product.mode != "silent"
                and self._key(product.id) != (there := max(0, product.received - sold[product.id]))
            ]

        # Rule (b) asks that an event is older than its level by the settling time.
        give_up = time.monotonic() + SETTLE_SECONDS + 25
        while (left := wrong()) and time.monotonic() < give_up:
            self._products.tell_all(self._outside.send_level, self._outside.wait_until_read(20))
            self._outside.wait_until_read(20)
            eventually(lambda: not self._shop.redis.llen("stock"), within=20)
            time.sleep(1)
        for each in left:
            yield self._violation("other", each)

    def dead_letters(self) -> Iterator[Violation]:
        """What can't be read is a dead letter, unchanged, and nothing else is."""
        poison, dead = Counter(self._outside.poison), Counter(self._outside.dead)
        for letter in poison.keys() - dead.keys():
            yield self._violation("lost", f"not among the dead letters: {letter!r:.200}")
        for letter in dead.keys() - poison.keys():
            yield self._violation("other", f"a dead letter that is no poison: {letter!r:.200}")
        for error in self._outside.undelivered:
            yield self._violation("other", f"the run itself could not send: {error}")

    def logins(self) -> Iterator[Violation]:
        """The newest log-in of each customer is what is known, and each was answered with one event."""
        for user, told in self._outside.logins.items():
            _, email = max(told)
            known = cast("str | None", self._shop.redis.hget("user:email", user))
            if known != email:
                yield self._violation("other", f"{user}: {known} is known, {email} is the newest")
            sent = len(self._outside.user_orders[user])
            if sent < len(told):
                yield self._violation("missing", f"{user}: {sent} user_orders for {len(told)} log-ins")
            elif sent > len(told):
                yield self._violation("doubled", f"{user}: {sent} user_orders for {len(told)} log-ins")

    def _sold(self) -> "Counter[str]":
        by_product: list[dict[str, Any]] = [
            {"$match": SOLD},
            {"$unwind": "$items"},
            {"$group": {"_id": "$items.productId", "units": {"$sum": "$items.quantity"}}},
        ]
        found: Any = self._shop.servers.orders().aggregate(by_product)
        return Counter({each["_id"]: each["units"] for each in found})

    def _key(self, product_id: str) -> int:
        return int(self._shop.redis.get(f"product:{product_id}:stock") or 0)


def _ended(record: dict[str, Any] | None) -> Ended:
    if record is None:
        return Ended(None, "has no record")
    if record["status"] == SUCCESS:
        return Ended(record["result"]["outcome"])
    return Ended(None, f"is {record['status']} ({(record.get('problem') or {}).get('type')})")


def timeline_violations(
    order_id: str, order: dict[str, Any] | None, writes: list[Write], ended: dict[str, Ended]
) -> Iterator[tuple[What, str]]:
    """Compare an order's timeline with how its accepted writes ended; `order` is None where it is not stored."""
    timeline = order["timeline"] if order else []
    versions = [entry["version"] for entry in timeline]
    if versions != list(range(1, len(versions) + 1)) or (order and order["version"] != len(versions)):
        yield "other", f"order {order_id} has versions {versions}"
    found = Counter(entry["taskId"] for entry in timeline)
    for task_id, outcome in ((task_id, end.outcome) for task_id, end in ended.items()):
        if found[task_id] > 1:
            yield "doubled", f"write {task_id} took effect {found[task_id]} times on order {order_id}"
        elif outcome in TAKES_EFFECT and not found[task_id]:
            yield "lost", f"write {task_id} ended as {outcome}, order {order_id} knows nothing of it"
        elif outcome == "rejected" and found[task_id]:
            yield "doubled", f"write {task_id} ended as rejected, and is in order {order_id}"
    answered = {task_id for write in writes for task_id in write.tasks}
    strangers = found.keys() - answered
    # A request whose answer was lost may have been accepted, once; of an order nobody heard of the number is checked.
    allowed = sum(1 for write in writes if write.unknown and not write.tasks)
    if not any(write.kind == "create" for write in writes):
        allowed += 1
    if len(strangers) > allowed:
        yield "doubled", f"order {order_id} was changed by {sorted(strangers)}, for which nobody asked"


def event_violations(
    order_id: str, order: dict[str, Any] | None, events: dict[str, Seen]
) -> Iterator[tuple[What, str]]:
    """Compare an order's transitions with its events: each has one, none has another, and they are in order."""
    timeline = order["timeline"] if order else []
    expected = {f"{order_id}:{entry['version']}": TOPICS[entry["change"]] for entry in timeline}
    for ce_id in expected.keys() - events.keys():
        yield "missing", f"{ce_id} is not on {expected[ce_id]}"
    for ce_id, seen in events.items():
        if expected.get(ce_id) != seen.topic:
            yield "other", f"{ce_id} on {seen.topic} tells of a transition that does not exist"
    arrived = [events[ce_id] for ce_id in expected if ce_id in events]
    for before, after in pairwise(arrived):
        # Sent one after the other to partitions of different topics, they may arrive within the same moment.
        moment = 0 if before.topic == after.topic else SAME_MOMENT_MS
        if before.at > after.at + moment:
            yield "other", f"the events of order {order_id} arrived out of order: {arrived}"
