"""Transitions, as a state machine against a plain model: what an order holds of a stock, and what it tells."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from models import transitions
from models.ids import new_id
from models.order import STATUSES, Order, OrderDocument
from models.transitions import Transition
from models.writes import Write

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)
FORWARD = {
    ("confirmed", "processing"),
    ("processing", "shipped"),
    ("shipped", "delivered"),
    ("confirmed", "cancelled"),
    ("processing", "cancelled"),
}
lines = st.dictionaries(st.sampled_from("abc"), st.integers(1, 5), min_size=1)


def as_items(wanted: dict[str, int]) -> list[dict[str, Any]]:
    return [{"productId": product, "quantity": units, "unitPrice": "0.10"} for product, units in wanted.items()]


class AnOrder(RuleBasedStateMachine):
    """One order, written to at random; `taken` is what the transitions took from stock, all in all."""

    def __init__(self) -> None:
        super().__init__()
        self.order: OrderDocument
        self.taken: Counter[str] = Counter()
        self.wanted: dict[str, int] = {}
        self.writes = 0

    def a_write(self, body: dict[str, Any]) -> Write:
        self.writes += 1
        return Write(f"task-{self.writes}", "order-1", "update", body, NOW)

    def apply(self, made: Transition) -> None:
        self.taken.update(made.takes)
        self.order = made.order

    @initialize(wanted=lines)
    def create(self, wanted: dict[str, int]) -> None:
        self.wanted = wanted
        body = {"userId": "user-1", "items": as_items(wanted), "currency": "EUR"}
        self.apply(transitions.create(self.a_write(body), NOW))

    @rule(status=st.sampled_from(STATUSES))
    def move_to(self, status: str) -> None:
        before = self.order["status"]
        made = transitions.update(self.order, self.a_write({"status": status}), NOW)
        allowed = status == before or (before, status) in FORWARD
        assert isinstance(made, Transition) == allowed
        if isinstance(made, Transition):
            assert made.order["outbox"][-1].get("changed") == ([] if status == before else ["status"])
            self.apply(made)

    @rule(wanted=lines)
    def change_items(self, wanted: dict[str, int]) -> None:
        made = transitions.update(self.order, self.a_write({"items": as_items(wanted)}), NOW)
        assert isinstance(made, Transition) == (self.order["status"] == "confirmed")
        if isinstance(made, Transition):
            self.wanted = wanted
            self.apply(made)

    @precondition(lambda self: "deletedAt" not in self.order)
    @rule()
    def would_be_deleted(self) -> None:
        made = transitions.delete(self.order, self.a_write({}), NOW)
        returns = self.order["status"] in {"confirmed", "processing"}
        assert made.takes == ({product: -units for product, units in self.wanted.items()} if returns else {})
        assert made.order["outbox"][-1]["order"]["status"] == self.order["status"]

    @invariant()
    def what_it_took_is_what_it_has(self) -> None:
        if hasattr(self, "order"):
            held = {} if self.order["status"] == "cancelled" else self.wanted
            assert {product: units for product, units in self.taken.items() if units} == held

    @invariant()
    def each_version_has_its_entry_and_its_event(self) -> None:
        if hasattr(self, "order"):
            versions = list(range(1, self.order["version"] + 1))
            assert [entry["version"] for entry in self.order["timeline"]] == versions
            assert [event["id"] for event in self.order["outbox"]] == [f"order-1:{version}" for version in versions]

    @invariant()
    def it_validates_as_the_stored_schema(self) -> None:
        if hasattr(self, "order"):
            Order._from_son(self.order).validate()


TestTransitions = AnOrder.TestCase


def test_ids_are_ordered_by_their_time() -> None:
    made = [new_id(milliseconds) for milliseconds in range(1_700_000_000_000, 1_700_000_000_200)]

    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert {identifier[14] for identifier in made} == {"7"}
