"""What goes together in one call, and what one after the other."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def rounds(keys: Sequence[Hashable]) -> Iterator[list[int]]:
    """Return the places of these keys in rounds: each key at most once in a round, its places in their order."""
    left = list(range(len(keys)))
    while left:
        first: dict[Hashable, int] = {}
        for place in left:
            first.setdefault(keys[place], place)
        yield list(first.values())
        taken = set(first.values())
        left = [place for place in left if place not in taken]


def chunks(entries: Iterable[T], most: int, size: Callable[[T], int]) -> Iterator[list[T]]:
    """Return the entries in lists whose sizes add up to `most` at the most (an entry counts as 1 at least)."""
    chunk: list[T] = []
    total = 0
    for entry in entries:
        if chunk and total + max(1, size(entry)) > most:
            yield chunk
            chunk, total = [], 0
        chunk.append(entry)
        total += max(1, size(entry))
    if chunk:
        yield chunk
