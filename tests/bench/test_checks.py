"""Books that lie are found out, whatever the lie."""

from collections import Counter
from dataclasses import replace

import pytest

from bench.checks import Books, WrongBooksError, check, wrongs

HONEST = Books(
    accepted=["a", "b"],
    stored=Counter(["a", "b"]),
    announced=Counter(["a", "b"]),
    ordered=Counter(lamp=2, sofa=1),
    taken=Counter(lamp=2, sofa=1),
    unasked={"order_updated": 0},
)


def test_honest_books_pass() -> None:
    assert wrongs(HONEST) == []
    check(HONEST)


@pytest.mark.parametrize(
    ("lie", "words"),
    [
        ({"stored": Counter(["a"])}, "1 orders are accepted and not stored, b for one"),
        ({"stored": Counter(["a", "b", "b"])}, "stored more than once"),
        ({"stored": Counter(["a", "b", "c"])}, "stored and never accepted"),
        ({"announced": Counter(["b"])}, "1 orders are accepted and not announced, a for one"),
        ({"announced": Counter(["a", "a", "b"])}, "1 orders are announced more than once, a for one"),
        ({"announced": Counter(["a", "b", "c"])}, "announced and never accepted, c for one"),
        ({"accepted": ["a", "b", "b"]}, "accepted more than once"),
        ({"accepted": []}, "no order was accepted"),
        ({"taken": Counter(lamp=1, sofa=1)}, "the stock of 1 products does not add up: 1 of lamp left it, 2 sold"),
        ({"taken": Counter(lamp=2, sofa=2)}, "2 of sofa left it, 1 sold"),
        ({"taken": Counter(lamp=2, sofa=1, chair=1)}, "1 of chair left it, 0 sold"),
        ({"taken": Counter(lamp=1, sofa=2)}, "the stock of 2 products"),
        ({"refused": {503: 3}}, "3 requests were answered 503"),
        ({"unasked": {"order_updated": 1}}, "1 messages on order_updated"),
    ],
)
def test_books_that_lie_do_not(lie: dict[str, object], words: str) -> None:
    books = replace(HONEST, **lie)  # type: ignore[arg-type]
    with pytest.raises(WrongBooksError) as raised:
        check(books)
    assert words in str(raised.value)
