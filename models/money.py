"""Money: exact, never a float. `Decimal` in code, `Decimal128` in MongoDB, a string in JSON."""

import re
from decimal import Context, Decimal

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
    text = str(value)
    if not _NUMBER.fullmatch(text):
        raise ValueError("must be a number")
    amount = Decimal(text)
    if not 0 <= amount < LIMIT:
        raise ValueError("must be at least 0 and below 10^9")
    spelled = amount.quantize(Decimal(10) ** max(-MAX_DECIMALS, min(0, int(amount.as_tuple().exponent))))
    if spelled != amount:
        raise ValueError(f"must have at most {MAX_DECIMALS} decimals")
    return abs(spelled)


def total(lines: list[tuple[int, Decimal | None]]) -> Decimal | None:
    """Return the exact sum of quantity times price; None where a price is missing."""
    result = Decimal(0)
    for quantity, price in lines:
        if price is None:
            return None
        result = _EXACT.add(result, _EXACT.multiply(Decimal(quantity), price))
    return result
