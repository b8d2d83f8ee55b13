"""Movements of stock, in batches and undone, and a ledger that stays small whatever was ordered."""

from collections.abc import Callable
from typing import Any

import pytest
import redis

from models import rejections
from models.movements import Movement
from models.stock import FOLD_AFTER_MS, Level, Sent, Stock
from tests.stock.shop import SECOND, SETTLE_MS, Shop


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


def test_a_discarded_task_moves_nothing_and_another_may(shop: Shop) -> None:
    moved, discarded = Movement("a", 1, "task-1", {"lamp": 4}), Movement("b", 2, "task-2", {"lamp": -5})
    shop.stock.discard("task-2")
    shop.stock.discard("task-3")

    decisions = shop.stock.move([moved, discarded])

    assert [decision.problem for decision in decisions] == [None, rejections.discarded()]
    assert shop.left == 96
    assert shop.counted("discarded_refused") == 1
    [following] = shop.stock.move([Movement("b", 2, "task-4", {"lamp": -5})])
    assert (following.problem, following.task_id) == (None, "task-4")
    assert shop.left == 101


def test_what_was_moved_for_a_task_can_be_undone_once_it_is_discarded(shop: Shop) -> None:
    movement = Movement("a", 1, "task-1", {"lamp": 4})
    shop.stock.move([movement])
    shop.stock.discard("task-1")
    assert shop.stock.move([movement])[0].problem == rejections.discarded()
    assert shop.left == 96

    shop.stock.undo("a", 1, "task-1")

    assert shop.left == 100


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
    shop.client.hset("user:preferences", "quiet", '{"notifications": false}')
    asked = [
        Movement("a", 1, "t1", {"lamp": 60, "vase": 10}),
        Movement("b", 1, "t2", {"lamp": 30, "vase": 1}),
        Movement("c", 1, "t3", {"lamp": 40}),
        Movement("d", 1, "t4", {"lamp": 1, "jug": 1}),
        Movement("e", 1, "t5", {"lamp": 1}, customer="quiet", forbid=off),
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


def test_the_example_of_the_docs(shop: Shop) -> None:
    shop.client.delete("product:lamp:stock")
    shop.level(10)
    shop.wait(SECOND)
    shop.order("a", 4)
    assert shop.left == 6
    shop.wait(SECOND)
    shop.level(10)
    assert shop.left == 6
    shop.wait(SECOND)
    shop.order("b", 2)
    assert shop.left == 4
    shop.wait(SECOND)
    shop.level(6, names=["a:1"])
    assert shop.left == 4
    shop.wait(SECOND)
    shop.take("a", -4, version=2)
    assert shop.left == 8
    shop.wait(SECOND)
    shop.level(10, names=["a:2"])
    assert shop.left == 8
    shop.wait(34 * SECOND)
    shop.level(13)
    assert shop.left == 13


@pytest.mark.parametrize(
    ("preferences", "silent"),
    [
        ('{"notifications": false}', True),
        ('{"notifications": {"orders": false}, "more": [1]}', True),
        (None, False),
        ("{}", False),
        ('{"notifications": true}', False),
        ('{"notifications": null}', False),
        ('{"notifications": 0}', False),
        ('{"notifications": {"orders": null, "news": false}}', False),
        ('{"notifications": [false]}', False),
        ('{"orders": false}', False),
        ("false", False),
        ("null", False),
        ("[]", False),
        ("{broken", False),
        ("", False),
    ],
)
def test_only_a_plain_no_is_a_no(preferences: str | None, silent: bool, shop: Shop) -> None:
    off = rejections.notifications_off("ann")
    if preferences is not None:
        shop.client.hset("user:preferences", "ann", preferences)

    (asked,) = shop.stock.move([Movement("a", 1, "t1", {"lamp": 1}, customer="ann", forbid=off)])
    (told,) = shop.stock.move([Movement("b", 1, "t2", {"lamp": 1}, customer="ann")])
    (other,) = shop.stock.move([Movement("c", 1, "t3", {"lamp": 1}, forbid=off)])

    assert (asked.silent, asked.problem) == (silent, off if silent else None)
    assert (told.silent, told.problem) == (silent, None)
    assert (other.silent, other.problem) == (False, None)
