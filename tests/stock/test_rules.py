"""The rules of docs/stock.md one by one: what a level settles, what it keeps held, and what is given back."""

from typing import Any

import pytest

from models.stock import FOLD_AFTER_MS, Sent
from tests.stock.shop import SECOND, SETTLE_MS, Shop


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


def test_of_reports_that_are_noted_together_the_early_ones_are_settled_by_time(shop: Shop) -> None:
    shop.take("a", 4)
    shop.take("b", 5)
    early = shop.clock.now
    shop.wait(SETTLE_MS)
    shop.level(96)

    told = [("a", 4, early), ("b", 5, shop.clock.now)]
    shop.stock.published(
        [Sent(f"{order}:1", {"lamp": units}, "order_created", 0, units, at) for order, units, at in told]
    )

    assert shop.left == 96 - 5


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
