"""What the customers know: each write they wanted, how often they asked, and what they were answered."""

import threading
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["create", "update", "delete"]


@dataclass(eq=False)
class Write:
    """One thing a customer wanted. Without a `key` it is asked for once, whatever the answer."""

    number: int
    kind: Kind
    row: str
    key: str | None
    unknown: int = 0  # requests that may or may not have been accepted
    tasks: set[str] = field(default_factory=set)  # of 202s
    maybe: set[str] = field(default_factory=set)  # of 503s that say "unknown"
    poison: bool = False


class Journal:
    """All writes of a run. Safe to use from several threads."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self.row = ""
        self.writes: list[Write] = []
        self.of_order: dict[str, list[Write]] = defaultdict(list)
        self.accepted: dict[str, Write] = {}
        self.order_of: dict[str, str] = {}  # task -> order, as its 202 said
        self.unchecked: set[str] = set()
        self.repeated_keys = 0
        self.refused = 0

    def wanted(self, kind: Kind, *, key: str | None, order_id: str = "", poison: bool = False) -> Write:
        """Note a write that is about to be sent."""
        with self._changing:
            write = Write(len(self.writes), kind, self.row, key, poison=poison)
            self.writes.append(write)
            if order_id:
                self.of_order[order_id].append(write)
            return write

    def accept(self, write: Write, task_id: str, order_id: str) -> None:
        """Note a 202."""
        with self._changing:
            if write.tasks or write.unknown:
                self.repeated_keys += 1
            write.tasks.add(task_id)
            write.unknown = 0  # the key says that this is the one
            if write not in self.of_order[order_id]:
                self.of_order[order_id].append(write)
            self.accepted[task_id] = write
            self.order_of[task_id] = order_id
            self.unchecked.add(task_id)

    def leave_unknown(self, write: Write, task_id: str | None) -> None:
        """Note an answer that does not say whether the write was accepted, or that there was none."""
        with self._changing:
            write.unknown += 1
            if task_id:
                write.maybe.add(task_id)

    def refuse(self) -> None:
        """Note an answer that says that nothing was accepted."""
        with self._changing:
            self.refused += 1

    def orders_accepted(self, row: str | None = None) -> int:
        """Return how many creates were answered with a 202 (in this row)."""
        with self._changing:
            return sum(write.kind == "create" and row in {None, write.row} for write in self.accepted.values())
