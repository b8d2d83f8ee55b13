"""Money: exact, never a float. `Decimal` in code, `Decimal128` in MongoDB, a string in JSON."""

import re
from decimal import Context, Decimal
from functools import lru_cache

from bson.decimal128 import Decimal128

MAX_DECIMALS = 4
LIMIT = Decimal(10) ** 9
"""A price is below this."""

_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?")
_EXACT = Context(prec=34)  # what a Decimal128 holds; 100 lines of 10,000 units at the limit need 19 digits


def parse(value: str | int | Decimal) -> Decimal:
    """Return the price as one plain spelling: `1e2` becomes 100, `1.50000` becomes 1.5000.

    Raises
    ------
    ValueError
        where it is no number from 0 up to (not including) 10^9 with at most 4 decimals.

    """
    return _parsed(str(value))


# A shop has few prices and many orders; each of these three takes several microseconds.
@lru_cache(maxsize=10_000)
def _parsed(text: str) -> Decimal:
    if not _NUMBER.fullmatch(text):
        raise ValueError("must be a number")
    amount = Decimal(text)
    if not 0 <= amount < LIMIT:
        raise ValueError("must be at least 0 and below 10^9")
    spelled = amount.quantize(Decimal(10) ** max(-MAX_DECIMALS, min(0, int(amount.as_tuple().exponent))))
    if spelled != amount:
        raise ValueError(f"must have at most {MAX_DECIMALS} decimals")
    return abs(spelled)


@lru_cache(maxsize=10_000)
def stored(price: str) -> Decimal128:
    """Return a price that `parse` has spelt as MongoDB holds it."""
    return Decimal128(price)


@lru_cache(maxsize=10_000)
def shown(bid: bytes) -> str:
    """Return the amount that a Decimal128 holds (its `bid`) as JSON has it."""
    return format(Decimal128.from_bid(bid).to_decimal(), "f")


def total(lines: list[tuple[int, Decimal | None]]) -> Decimal | None:
    """Return the exact sum of quantity times price; None where a price is missing."""
    result = Decimal(0)
    for quantity, price in lines:
        if price is None:
            return None
        result = _EXACT.add(result, _EXACT.multiply(Decimal(quantity), price))
    return result
