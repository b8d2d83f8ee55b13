"""Shops in virtual time: what no product service may bring about, and what one outside the assumption does."""

import math

import pytest
import redis

from tests.stock.product_services import BY_NAME, BY_TIME, OUTSIDE, Character
from tests.stock.simulator import SETTLE_MS, Simulation

MINUTES = 2
SEED = 1


@pytest.mark.parametrize("character", BY_NAME, ids=lambda character: character.name)
def test_by_name_nothing_is_ever_sold_twice(character: Character, ledger_redis: "redis.Redis") -> None:
    seen = Simulation(ledger_redis, character, settle_ms=math.inf, seed=SEED).run(MINUTES)

    assert seen.sold > 30
    assert seen.sold_twice == 0
    # What a product service never applies stays held for good.
    assert seen.left == 0 or not character.applies


@pytest.mark.parametrize("character", BY_TIME, ids=lambda character: character.name)
def test_by_time_nothing_is_sold_twice_where_events_are_applied_in_time(
    character: Character, ledger_redis: "redis.Redis"
) -> None:
    seen = Simulation(ledger_redis, character, settle_ms=SETTLE_MS, seed=SEED).run(MINUTES)

    assert seen.sold > 30
    assert seen.sold_twice == 0
    assert seen.left == 0


def test_the_simulator_sees_what_is_sold_twice(ledger_redis: "redis.Redis") -> None:
    late, never = OUTSIDE[:2]

    for character in (late, never):
        assert Simulation(ledger_redis, character, settle_ms=SETTLE_MS, seed=SEED).run(MINUTES).sold_twice > 0
