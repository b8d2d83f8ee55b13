"""The ledger's scripts on a real Redis, held against plain Python and against what is truly there, at random.

What can be ordered is never more than what nobody has been promised: by rule (a) whatever the product service's clock
says and in whatever order its levels come, by rule (b) when it applies what we publish in time.
"""

import math
from collections import Counter
from dataclasses import replace
from typing import ClassVar

import pytest
import redis
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from models.movements import Movement
from models.stock import Level, Sent, Stock
from tests.stock.plain_ledger import PlainLedger
from tests.stock.product_service import ProductService, Tells
from tests.stock.shop import Clock

PRODUCTS = ("lamp", "vase")
SUPPLY = 20
SETTLE_MS = 30_000


class Shop(RuleBasedStateMachine):
    """Orders, their events, a product service and its levels, each at any moment that the machine likes."""

    client: ClassVar["redis.Redis"]
    settle_ms: ClassVar[float] = math.inf

    @initialize(tells=st.sampled_from(["events", "seen"]), ahead=st.integers(-600_000, 240_000), versions=st.booleans())
    def open(self, tells: Tells, ahead: int, versions: bool) -> None:
        self.start(ProductService(tells, ahead, keyed=True, versions=versions))

    def start(self, service: ProductService) -> None:
        self.client.flushdb()
        self.clock, self.service = Clock(), service
        self.stock = Stock(self.client, clock=self.clock, settle_ms=self.settle_ms)
        plain = None if self.settle_ms == math.inf else int(self.settle_ms)
        self.plain = PlainLedger(dict.fromkeys(PRODUCTS, SUPPLY), plain)
        self.supply, self.taken = Counter(dict.fromkeys(PRODUCTS, SUPPLY)), Counter[str]()
        self.service.units.update(self.supply)
        for product in PRODUCTS:
            self.client.set(f"product:{product}:stock", SUPPLY)
        self.orders: dict[str, dict[str, int]] = {}
        self.unsent: list[Movement] = []
        self.sent: list[Sent] = []
        self.unread: list[Sent] = []
        self.levels: list[Level] = []
        self.offset = 0

    @rule(takes=st.dictionaries(st.sampled_from(PRODUCTS), st.integers(1, 9), min_size=1))
    def order(self, takes: dict[str, int]) -> None:
        order_id = f"order-{len(self.orders)}"
        movement = Movement(order_id, 1, f"task-{order_id}", takes)
        if self.move(movement):
            self.orders[order_id] = takes
            self.unsent.append(movement)
        else:
            self.orders[order_id] = {}

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        kept = [order_id for order_id, takes in self.orders.items() if takes]
        if kept:
            order_id = data.draw(st.sampled_from(kept))
            gives = {product: -units for product, units in self.orders[order_id].items()}
            movement = Movement(order_id, 2, f"cancel-{order_id}", gives)
            assert self.move(movement)
            self.orders[order_id] = {}
            self.unsent.append(movement)

    def move(self, movement: Movement) -> bool:
        [decision] = self.stock.move([movement])
        again = self.stock.move([movement, movement])
        assert again == [decision, decision]
        assert (decision.problem is None) == self.plain.move(movement, self.clock.now)
        if decision.problem is None:
            self.taken.update(movement.takes)
        return decision.problem is None

    @rule(takes=st.dictionaries(st.sampled_from(PRODUCTS), st.integers(1, 9), min_size=1))
    def order_that_is_not_stored(self, takes: dict[str, int]) -> None:
        movement = Movement(f"order-{len(self.orders)}", 1, "revoked", takes)
        self.orders[movement.order_id] = {}
        if self.move(movement):
            self.stock.undo(movement.order_id, 1, "another")
            self.stock.undo(movement.order_id, 1, "revoked")
            self.stock.undo(movement.order_id, 1, "revoked")
            self.plain.undo(movement)
            self.taken.subtract(movement.takes)

    @precondition(lambda self: self.unsent)
    @rule(noted=st.sampled_from([True, True, False]))
    def publish(self, noted: bool) -> None:
        while self.unsent:
            movement = self.unsent.pop(0)
            self.send(Sent(f"{movement.order_id}:{movement.version}", movement.takes, "order_created", 0, 0, 0), noted)

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), noted=st.booleans())
    def publish_again(self, data: st.DataObject, noted: bool) -> None:
        self.send(data.draw(st.sampled_from(self.sent)), noted)

    def send(self, event: Sent, noted: bool) -> None:
        """Have an event on Kafka; its report may be lost with the worker that waited for it."""
        self.offset += 1
        sent = replace(event, offset=self.offset, at=self.clock.now, partition=sum(event.event_id.encode()) % 2)
        self.sent.append(sent)
        self.unread.append(sent)
        if noted:
            self.note(sent)

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def note_late(self, data: st.DataObject) -> None:
        self.note(data.draw(st.sampled_from(self.sent)))

    def note(self, sent: Sent) -> None:
        self.stock.published([sent])
        self.plain.published(sent)

    @precondition(lambda self: self.unread)
    @rule()
    def the_service_applies(self) -> None:
        self.service.apply(self.unread.pop(0))

    @rule(product=st.sampled_from(PRODUCTS), units=st.integers(1, 5))
    def more_units_arrive(self, product: str, units: int) -> None:
        self.supply[product] += units
        self.service.units[product] += units

    @rule(product=st.sampled_from(PRODUCTS))
    def the_service_tells(self, product: str) -> None:
        self.levels.append(self.service.level(product, self.clock.now))

    @rule(product=st.sampled_from(PRODUCTS))
    def the_service_applies_all_and_its_level_comes(self, product: str) -> None:
        while self.unread:
            self.the_service_applies()
        self.the_service_tells(product)
        self.arrive(len(self.levels) - 1)

    @precondition(lambda self: self.levels)
    @rule(data=st.data())
    def a_level_comes(self, data: st.DataObject) -> None:
        self.arrive(data.draw(st.integers(0, len(self.levels) - 1)))

    def arrive(self, place: int) -> None:
        if self.levels[place].read_at is None:
            self.levels[place] = replace(self.levels[place], read_at=self.clock.now)
        level = self.levels[place]
        newest = self.stock.set_level(level)
        self.plain.set_level(level, self.clock.now)
        assert newest == (self.plain.products[level.product_id].level is level)

    @rule(seconds=st.integers(1, 40))
    def time_passes(self, seconds: int) -> None:
        self.clock.now += seconds * 1000

    @invariant()
    def it_is_what_the_rules_say(self) -> None:
        assert self.available() == {name: each.stock for name, each in self.plain.products.items()}

    @invariant()
    def nothing_is_promised_twice(self) -> None:
        for product, units in self.available().items():
            assert units <= self.supply[product] - self.taken[product]

    def available(self) -> dict[str, int]:
        found = self.client.mget([f"product:{product}:stock" for product in PRODUCTS])
        return {product: int(units or "") for product, units in zip(PRODUCTS, found, strict=True)}


class TimedShop(Shop):
    """A product service that names nothing, applies all that is 25 s old, and tells of each change at once."""

    settle_ms: ClassVar[float] = SETTLE_MS

    @initialize(versions=st.booleans(), behind=st.integers(0, 600_000))
    def open(self, versions: bool, behind: int) -> None:
        self.start(ProductService("nothing", -behind, keyed=True, versions=versions))

    @precondition(lambda self: self.unread)
    @rule()
    def the_service_applies(self) -> None:
        for product in self.service.apply(self.unread.pop(0)):
            self.the_service_tells(product)

    @rule(seconds=st.integers(1, 40))
    def time_passes(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.now += 1000
            while self.unread and self.unread[0].at < self.clock.now - 25_000:
                self.the_service_applies()

    @rule()
    def beat_looks_at_quiet_products(self) -> None:
        if not [level for level in self.levels if level.read_at is None]:
            self.stock.settle_quiet(self.clock.now)
            self.plain.settle_quiet(self.clock.now)


@pytest.mark.parametrize("shop", [Shop, TimedShop])
def test_the_ledger_is_what_the_rules_say_and_never_more_than_there_is(
    shop: type[Shop], ledger_redis: "redis.Redis"
) -> None:
    shop.client = ledger_redis
    run_state_machine_as_test(shop, settings=settings(max_examples=60, stateful_step_count=50, deadline=None))
