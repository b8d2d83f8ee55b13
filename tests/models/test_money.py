"""Money is exact."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import money

prices = st.decimals(0, Decimal("999999999.9999"), places=4)


@given(prices)
def test_a_price_survives_as_text(price: Decimal) -> None:
    assert money.parse(str(price)) == price


@given(st.lists(st.tuples(st.integers(1, 10_000), prices), min_size=1, max_size=100))
def test_a_total_is_the_exact_sum_in_ten_thousandths(lines: list[tuple[int, Decimal]]) -> None:
    total = money.total(list(lines))

    assert total is not None
    assert total * 10_000 == sum(quantity * int(price * 10_000) for quantity, price in lines)


def test_a_total_is_none_where_a_price_is_missing() -> None:
    assert money.total([(1, Decimal(1)), (1, None)]) is None


@pytest.mark.parametrize(
    ("given", "spelled"), [("1e2", "100"), ("-0", "0"), ("1.50000", "1.5000"), ("0.10", "0.10"), (7, "7")]
)
def test_a_price_has_one_plain_spelling(given: str | int, spelled: str) -> None:
    assert str(money.parse(given)) == spelled


@pytest.mark.parametrize(
    "given", ["1000000000", "-0.01", "1.00001", "NaN", "Infinity", "1_0", " 1", "1.", "", "0x1", "٣", "1e999"]
)
def test_what_is_no_price_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="must"):
        money.parse(given)
