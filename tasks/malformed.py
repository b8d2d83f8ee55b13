"""Items of queues that are no messages: kept in `<queue>.malformed` as they were, whatever bytes they are.

An item has no id of its own; it goes by the beginning of its SHA-256.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import redis

from tasks.parked import NotPossibleError, fresh_copy
from tasks.records import UNACKED
from tasks.set_aside import malformed_key
from tasks.transport.scripts import COUNTS

PAGE = 100
DIGEST = 12
"""Hexadecimal digits: enough to tell thousands of items apart."""

_REMOVE = (Path(__file__).parent / "remove_malformed.lua").read_text()


@dataclass(frozen=True, slots=True)
class Item:
    """A malformed item. `found_in` is its queue, or `unacked` where it was in a worker's hands."""

    found_in: str
    raw: bytes

    @property
    def digest(self) -> str:
        """What it goes by."""
        return hashlib.sha256(self.raw).hexdigest()[:DIGEST]

    def as_message(self) -> tuple[str, str]:
        """Return the queue it belongs to, and the message that it can be put back as.

        Raises
        ------
        NotPossibleError
            where it is none.

        """
        queue, told = self.found_in, self._read()
        if self.found_in == UNACKED and isinstance(told, list) and len(told) == 3:
            told, _, queue = told  # as kombu notes what is in hand: message, exchange, queue
        if not isinstance(told, dict) or not isinstance(told.get("headers"), dict) or "task" not in told["headers"]:
            raise NotPossibleError("it is no message of a task")
        if not isinstance(queue, str) or queue in {"", UNACKED}:
            raise NotPossibleError("its queue is not known")
        return queue, fresh_copy(told, queue)

    def _read(self) -> Any:
        try:
            return json.loads(self.raw)
        except ValueError:
            return None


class Malformed:
    """The malformed items in one Redis."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client

    def all(self, queues: list[str]) -> Iterator[Item]:
        """Yield the items of these queues, the newest first."""
        for queue in queues:
            start = 0
            while page := self._page(queue, start):
                yield from (Item(queue, raw) for raw in page)
                start += len(page)

    def requeue(self, item: Item) -> bool:
        """Put it back into its queue; False where it is gone. Raises `NotPossibleError` where it is no message."""
        return self._remove(item, *item.as_message())

    def discard(self, item: Item) -> bool:
        """Forget it; False where it is gone."""
        return self._remove(item)

    def _page(self, queue: str, start: int) -> list[bytes]:
        command = ("LRANGE", malformed_key(queue), start, start + PAGE - 1)
        # An item may be anything, and this client reads text.
        found = self._client.execute_command(*command, NEVER_DECODE=True)  # type: ignore[no-untyped-call]
        return cast("list[bytes]", found)

    def _remove(self, item: Item, queue: str = "", message: str = "") -> bool:
        """Take one such item away, and put the message into the queue, where there is one."""
        keys = [malformed_key(item.found_in), COUNTS, queue]
        return bool(self._client.register_script(_REMOVE)(keys=keys, args=[item.raw, message]))
