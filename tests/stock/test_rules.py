"""The rules of docs/stock.md one by one, on a real Redis and with a clock that the test holds."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import redis

from models import rejections
from models.stock import FOLD_AFTER_MS, Level, Movement, Sent, Stock
from tests.stock.conftest import Clock

SETTLE_MS = 30_000
SECOND = 1000


class Shop:
    """One product, `lamp`, of which 100 units were there at first."""

    def __init__(self, client: "redis.Redis", clock: Clock, settle_ms: float = SETTLE_MS) -> None:
        self.client, self.clock = client, clock
        self.stock = Stock(client, clock=clock, settle_ms=settle_ms)
        client.set("product:lamp:stock", 100)
        self.offset = 0

    @property
    def left(self) -> int | None:
        found: Any = self.client.get("product:lamp:stock")
        return None if found is None else int(found)

    def take(self, order_id: str, units: int = 1, version: int = 1) -> None:
        [decision] = self.stock.move([Movement(order_id, version, f"task-{order_id}-{version}", {"lamp": units})])
        assert decision.problem is None

    def publish(self, order_id: str, units: int = 1, version: int = 1, **where: int) -> None:
        told = {"partition": 0, "offset": self.offset, "at": self.clock.now, **where}
        self.offset = told["offset"] + 1
        self.stock.published([Sent(f"{order_id}:{version}", {"lamp": units}, "order_created", **told)])

    def order(self, order_id: str, units: int = 1, **where: int) -> None:
        self.take(order_id, units)
        self.publish(order_id, units, **where)

    def level(self, units: int | None, *, ago: int = 0, **more: Any) -> bool:
        """Have a level that was counted `ago` ms before now."""
        at = self.clock.now - ago
        told: dict[str, Any] = {"version": None, "at": at, "source": "product_events/0", "offset": at, **more}
        return self.stock.set_level(Level("lamp", units, **told))

    def wait(self, milliseconds: int) -> None:
        self.clock.now += milliseconds

    def counted(self, name: str) -> int:
        return int(self.client.hget("counts", name) or 0)


@pytest.fixture
def shop(ledger_redis: "redis.Redis", clock: Clock) -> Shop:
    return Shop(ledger_redis, clock)


@pytest.fixture
def named(ledger_redis: "redis.Redis", clock: Clock) -> Shop:
    return Shop(ledger_redis, clock, settle_ms=math.inf)


def test_a_level_that_may_not_know_an_order_leaves_its_units_held(shop: Shop) -> None:
    shop.order("a", 4)
    shop.wait(SETTLE_MS - 1)

    shop.level(100)

    assert shop.left == 96


@pytest.mark.parametrize(
    "told",
    [{"names": ["a:1"]}, {"seen": {"order_created": {"0": 0}}}, {"seen": {"order_created": {"0": 7, "1": 0}}}],
    ids=["names", "seen", "seen further"],
)
def test_a_level_that_says_it_includes_an_order_settles_it(named: Shop, told: dict[str, Any]) -> None:
    named.order("a", 4)
    named.order("b", 5, partition=2)

    named.level(96, **told)

    assert named.left == 91
    assert named.counted("holds_settled_by_name") == 1


@pytest.mark.parametrize(
    "told",
    [
        {"names": ["a:2", "b:1"]},
        {"seen": {"order_created": {"0": 4}}},
        {"seen": {"order_created": {"1": 9}, "order_updated": {"0": 9}}},
    ],
)
def test_a_level_that_includes_other_orders_settles_nothing(named: Shop, told: dict[str, Any]) -> None:
    named.order("a", 4, offset=5)

    named.level(100, **told)

    assert named.left == 96


def test_a_level_settles_an_unpublished_order_by_its_name(named: Shop) -> None:
    named.take("a", 4)

    named.level(96, names=["a:1"])

    assert named.left == 96


def test_a_level_settles_what_was_published_long_enough_before_it(shop: Shop) -> None:
    shop.order("a", 4)
    shop.wait(1)
    shop.order("b", 5)
    shop.wait(SETTLE_MS - 1)

    shop.level(91)

    assert shop.left == 86
    assert shop.counted("holds_settled_by_time") == 1


def test_by_name_alone_no_time_is_long_enough(named: Shop) -> None:
    named.order("a", 4)
    named.wait(10 * FOLD_AFTER_MS)

    named.level(100)
    named.wait(10 * FOLD_AFTER_MS)

    assert named.stock.settle_quiet(named.clock.now) == 0
    assert named.left == 96


def test_an_unpublished_order_is_never_settled_by_time(shop: Shop) -> None:
    shop.take("a", 4)
    shop.wait(10 * SETTLE_MS)

    shop.level(100)
    shop.wait(10 * SETTLE_MS)
    shop.stock.settle_quiet(shop.clock.now)

    assert shop.left == 96
    assert shop.counted("holds_unpublished_kept") == 1


def test_a_report_that_is_noted_late_settles_what_the_level_includes_by_time(shop: Shop) -> None:
    shop.take("a", 4)
    reported = shop.clock.now
    shop.wait(SETTLE_MS)
    shop.level(96)

    shop.publish("a", 4, at=reported)

    assert shop.left == 96


def test_a_report_that_is_noted_late_settles_what_the_level_has_seen(named: Shop) -> None:
    named.order("a", 4, offset=5)
    named.take("b", 5)
    named.level(91, seen={"order_created": {"0": 6}})
    assert named.left == 86

    named.publish("b", 5, offset=6)

    assert named.left == 91


def test_of_an_event_that_was_sent_twice_the_earliest_report_counts(shop: Shop) -> None:
    shop.order("a", 4)
    shop.wait(SETTLE_MS)
    shop.publish("a", 4)

    shop.level(96)

    assert shop.left == 96


def test_a_clock_ahead_makes_no_level_younger_than_its_arrival(shop: Shop) -> None:
    shop.order("a", 4)

    shop.level(100, ago=-4 * 60 * SECOND)

    assert shop.left == 96


def test_a_quiet_product_s_last_level_includes_what_was_published_before_it(shop: Shop) -> None:
    shop.order("a", 4)
    shop.wait(SECOND)
    shop.level(96)
    shop.wait(SECOND)
    shop.order("b", 5)
    shop.wait(SETTLE_MS - 1)
    assert shop.stock.settle_quiet(shop.clock.now) == 0

    shop.wait(1)

    assert shop.stock.settle_quiet(shop.clock.now) == 1
    assert shop.left == 91


def test_a_product_is_not_quiet_while_levels_come(shop: Shop) -> None:
    shop.order("a", 4)
    shop.wait(SETTLE_MS - SECOND)
    shop.level(100)
    shop.wait(SETTLE_MS - SECOND)

    assert shop.stock.settle_quiet(shop.clock.now) == 0
    shop.wait(SECOND)
    assert shop.stock.settle_quiet(shop.clock.now) == 1


def test_what_is_given_back_counts_until_a_level_may_include_it(shop: Shop) -> None:
    shop.order("a", 4)
    shop.level(96, names=["a:1"])
    shop.take("a", -4, version=2)
    assert shop.left == 100

    shop.wait(SECOND)
    shop.level(100)

    assert shop.left == 100
    assert shop.counted("give_backs_dropped") == 1


def test_a_level_that_reached_us_before_the_give_back_leaves_it_on_top(shop: Shop) -> None:
    read_at = shop.clock.now
    shop.order("a", 4)
    shop.wait(10 * SECOND)
    shop.take("a", -4, version=2)

    shop.level(96, ago=10 * SECOND, read_at=read_at, names=["a:1"])

    assert shop.left == 100


def test_a_clock_behind_does_not_count_a_give_back_twice(named: Shop) -> None:
    named.order("a", 4)
    named.level(96, ago=300 * SECOND, names=["a:1"])
    named.wait(SECOND)
    named.take("a", -4, version=2)

    named.level(100, ago=300 * SECOND, names=["a:2"])

    assert named.left == 100


def test_a_superseded_level_settles_what_it_names(named: Shop) -> None:
    named.order("a", 4)
    named.order("b", 5)
    named.wait(SECOND)
    named.level(91, names=["b:1"])
    assert named.left == 87

    assert not named.level(96, ago=1, names=["a:1"])

    assert named.left == 91
    assert named.counted("levels_superseded") == 1


def test_a_clock_set_back_sells_nothing_twice(named: Shop) -> None:
    named.level(100)
    named.order("a", 4)
    named.wait(SECOND)

    named.level(96, ago=300 * SECOND, names=["a:1"], offset=named.clock.now)
    named.order("b", 5)
    named.level(91, ago=299 * SECOND, names=["b:1"], offset=named.clock.now + 1)

    assert named.left == 91


def test_a_level_that_comes_again_changes_nothing(named: Shop) -> None:
    told: dict[str, Any] = {"names": ["a:1"], "read_at": named.clock.now + 2}
    named.order("a", 4)
    named.wait(1)
    at = named.clock.now
    assert named.level(96, **told)
    named.wait(SECOND)
    named.order("b", 5)

    assert named.level(96, ago=named.clock.now - at, **told)

    assert named.left == 91
    assert named.counted("levels_superseded") == 0


def test_a_topic_made_anew_is_not_what_a_level_has_seen(named: Shop) -> None:
    named.order("a", 4, offset=500)
    named.level(96, seen={"order_created": {"0": 500}})
    named.wait(60 * SECOND)

    named.order("b", 5, offset=3)
    assert named.left == 91
    named.level(96, seen={"order_created": {"0": 500}})
    assert named.left == 91

    named.wait(61 * SECOND)  # by then it is sure that this is no report that came late
    named.order("c", 6, offset=4)
    named.level(96, seen={"order_created": {"0": 500}})
    assert named.left == 85
    named.level(91, ago=-1, seen={"order_created": {"0": 3}})
    assert named.left == 85
    named.level(85, ago=-2, seen={"order_created": {"0": 4}})
    assert named.left == 85


def test_reports_of_two_workers_may_cross(named: Shop) -> None:
    named.take("a", 4)
    named.take("b", 5)
    named.publish("b", 5, offset=8)
    named.wait(SECOND)
    named.publish("a", 4, offset=7)

    named.level(91, seen={"order_created": {"0": 8}})

    assert named.left == 91


def test_a_removed_product_takes_nothing_back_and_keeps_its_orders_units(shop: Shop) -> None:
    shop.order("a", 4)
    shop.order("b", 5)
    shop.level(None)
    assert shop.left is None
    [decision] = shop.stock.move([Movement("c", 1, "task", {"lamp": 1})])
    assert decision.problem == rejections.unknown_product(["lamp"])

    shop.take("a", -4, version=2)
    assert shop.left is None
    shop.wait(SECOND)
    shop.level(91, names=["a:1"])

    assert shop.left == 86


def test_a_movement_undone_leaves_no_trace(shop: Shop) -> None:
    shop.order("a", 4)
    shop.take("a", -1, version=2)
    shop.take("b", 5)
    shop.stock.undo("b", 1, "another task")
    assert shop.left == 92

    shop.stock.undo("b", 1, "task-b-1")
    shop.stock.undo("a", 2, "task-a-2")
    shop.stock.undo("a", 2, "task-a-2")
    assert shop.left == 96

    shop.wait(SETTLE_MS)
    shop.level(96)
    assert shop.left == 96
    assert shop.counted("movements_undone") == 2


def test_a_give_back_undone_after_a_level_has_dropped_it_is_not_taken_twice(shop: Shop) -> None:
    shop.level(100)
    shop.take("a", -1, version=2)
    shop.wait(SECOND)
    shop.level(100)

    shop.stock.undo("a", 2, "task-a-2")

    assert shop.left == 100


def test_a_batch_is_decided_in_its_order_each_movement_all_or_none(shop: Shop) -> None:
    shop.client.set("product:vase:stock", 10)
    off = rejections.notifications_off("ann")
    asked = [
        Movement("a", 1, "t1", {"lamp": 60, "vase": 10}),
        Movement("b", 1, "t2", {"lamp": 30, "vase": 1}),
        Movement("c", 1, "t3", {"lamp": 40}),
        Movement("d", 1, "t4", {"lamp": 1, "jug": 1}),
        Movement("e", 1, "t5", {"lamp": 1}, forbid=off),
        Movement("a", 2, "t6", {"vase": -2}),
        Movement("f", 1, "t7", {"vase": 2}),
        Movement("g", 1, "t8", {}),
    ]

    found = shop.stock.move(asked)

    assert [decision.problem for decision in found] == [
        None,
        rejections.insufficient_stock([{"productId": "vase", "requested": 1, "available": 0}]),
        None,
        rejections.unknown_product(["jug"]),
        off,
        None,
        None,
        None,
    ]
    assert (shop.left, shop.client.get("product:vase:stock")) == (0, "0")
    assert shop.stock.move(asked[::-1]) == found[::-1]
    assert shop.counted("movements_repeated") == len(asked)


def test_a_batch_with_one_movement_twice_moves_it_once(shop: Shop) -> None:
    movement = Movement("a", 1, "t1", {"lamp": 60})

    assert [decision.problem for decision in shop.stock.move([movement, movement])] == [None, None]

    assert shop.left == 40


@pytest.mark.parametrize("settle", ["names", "seen", "time"])
def test_thousands_of_orders_are_settled_by_one_level(shop: Shop, settle: str) -> None:
    many = [f"order-{number}" for number in range(2500)]
    shop.client.set("product:lamp:stock", 10_000)
    shop.stock.move([Movement(order_id, 1, "task", {"lamp": 1}) for order_id in many])
    sent = [Sent(f"{order}:1", {"lamp": 1}, "order_created", 0, at, shop.clock.now) for at, order in enumerate(many)]
    shop.stock.published(sent)
    assert shop.left == 7500
    told: dict[str, Any] = {"names": [f"{order}:1" for order in many]} if settle == "names" else {}
    told = {"seen": {"order_created": {"0": 2499}}} if settle == "seen" else told
    shop.wait(SETTLE_MS if settle == "time" else 0)

    shop.level(7500, **told)

    assert shop.left == 7500


def test_what_was_published_long_ago_is_kept_in_sums_and_settled_by_time(shop: Shop) -> None:
    for number in range(10):
        shop.order(f"order-{number}")
        shop.wait(FOLD_AFTER_MS // 4)
    assert shop.left == 90
    assert shop.client.hlen("product:lamp:holds") < 10

    shop.level(95, ago=5 * FOLD_AFTER_MS // 4, read_at=shop.clock.now)  # counted after half of them
    assert 85 < (shop.left or 0) <= 90
    shop.level(90)

    assert shop.left == 90
    assert shop.client.exists("product:lamp:folded", "product:lamp:holds", "product:lamp:published") == 0
    assert shop.counted("holds_settled_by_time") == 10


def test_keys_do_not_grow_with_settled_orders(shop: Shop, ledger_redis: "redis.Redis") -> None:
    def keys() -> set[str]:
        return {key for key in ledger_redis.scan_iter("*") if not key.startswith("order:")}

    shop.order("a")
    shop.wait(SETTLE_MS)
    shop.level(99)
    shop.stock.settle_quiet(shop.clock.now + SETTLE_MS)

    assert keys() == {"product:lamp:stock", "product:lamp:level", "stock:partitions", "counts"}


def test_redis_own_clock_is_the_default(ledger_redis: "redis.Redis", unique: Callable[[str], str]) -> None:
    product = unique("product")
    ledger_redis.set(f"product:{product}:stock", 10)
    stock = Stock(ledger_redis, settle_ms=SETTLE_MS)

    stock.move([Movement(unique("order"), 1, "task", {product: 3})])
    stock.set_level(Level(product, 8, None, 1000, "product_events/0", 1))

    assert ledger_redis.get(f"product:{product}:stock") == "5"
