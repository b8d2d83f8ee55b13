"""What must be true after every run: each accepted order is stored once and on Kafka once, and the stock adds up."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


class WrongBooksError(Exception):
    """A run lost, doubled or invented something; its figure is worth nothing."""


@dataclass(frozen=True)
class Books:
    """What callers were told, and what the three servers hold after it.

    `refused` counts answers by status; `stored` and `announced` count orders by id; `unasked` counts messages by topic,
    of topics that should have none; `ordered` is units by product in the stored orders, `taken` what left the stock.
    """

    accepted: Sequence[str]
    stored: Counter[str]
    announced: Counter[str]
    ordered: Counter[str]
    taken: Counter[str]
    refused: Mapping[int, int] = field(default_factory=dict)
    unasked: Mapping[str, int] = field(default_factory=dict)


def wrongs(books: Books) -> list[str]:
    """Return everything that does not add up, in words."""
    found = [f"{times} requests were answered {status}" for status, times in books.refused.items()]
    accepted = Counter(books.accepted)
    found += _once(accepted, "accepted")
    if not accepted:
        found.append("no order was accepted")
    for place, orders in (("stored", books.stored), ("announced", books.announced)):
        found += _once(orders, place)
        found += _some(accepted.keys() - orders.keys(), f"accepted and not {place}")
        found += _some(orders.keys() - accepted.keys(), f"{place} and never accepted")
    found += [f"{count} messages on {topic}" for topic, count in books.unasked.items() if count]
    products = books.ordered.keys() | books.taken.keys()
    uneven = [product for product in products if books.ordered[product] != books.taken[product]]
    if uneven:
        first = min(uneven)
        left, sold = books.taken[first], books.ordered[first]
        found.append(f"the stock of {len(uneven)} products does not add up: {left} of {first} left it, {sold} sold")
    return found


def check(books: Books) -> None:
    """Raise where anything does not add up.

    Raises
    ------
    WrongBooksError
        saying what.

    """
    if found := wrongs(books):
        raise WrongBooksError("; ".join(found))


def _once(orders: Counter[str], place: str) -> list[str]:
    return _some({order for order, times in orders.items() if times > 1}, f"{place} more than once")


def _some(orders: set[str], what: str) -> list[str]:
    return [f"{len(orders)} orders are {what}, {min(orders)} for one"] if orders else []
