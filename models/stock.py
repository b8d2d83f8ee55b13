"""Stock: how many units can be ordered now, moved by orders and set by the product service's levels.

`product:{productId}:stock` is a plain integer that any program may read: the newest level, less what orders hold (their
units until a level includes them), plus what was given back since. docs/stock.md has the rules. Each change is one Lua
script. Movements are keyed `(orderId, version)`: all products or none, and once, however often the task asks for it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import orjson
import redis

from models import rejections
from models.movements import Decision, Movement, decision_key, decisions, event_id
from models.rounds import chunks, rounds
from models.scripts import Call, call_all
from settings import settings

CALL_ENTRIES = 250
"""Product entries that one call moves, or notes as published, at the most, so that no script is long."""

NAMES = 500
"""Event ids that one call settles at the most (LIMIT in ledger.lua)."""

FOLD_AFTER_MS = 3600 * 1000
"""A hold whose event is on Kafka for this long is kept in a sum by the hour, where holds are settled by time."""

_HERE = Path(__file__).parent
_SHARED = (_HERE / "ledger.lua").read_text()
_SCRIPTS = {
    name: _SHARED + (_HERE / f"{name}.lua").read_text()
    for name in ("move_stock", "undo_move", "note_published", "set_level", "settle_quiet")
}


def stock_key(product_id: str) -> str:
    """Return the key of the units that can be ordered now."""
    return f"product:{product_id}:stock"


@dataclass(frozen=True, slots=True)
class Level:
    """A product's stock as the product service counted it; `units` is None where the product is removed.

    Levels are ordered by `version`, else by `at`; `offset` only breaks ties within `source`. `names` are the ids of
    events that it includes, `seen` the last offset that it includes by topic and partition. Times are in milliseconds
    since 1970: `counted_by` is the latest at which it can have been counted (None: `at`), `read_at` when it reached us
    (None: now).
    """

    product_id: str
    units: int | None
    version: int | None
    at: int
    source: str
    offset: int
    names: Sequence[str] = ()
    seen: dict[str, dict[str, int]] = field(default_factory=dict)
    counted_by: int | None = None
    read_at: int | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """An event that Kafka has: where, and when its delivery report arrived (ms since 1970).

    `takes` is what its transition took, as in its outbox.
    """

    event_id: str
    takes: dict[str, int]
    topic: str
    partition: int
    offset: int
    at: int


class Stock:
    """The stock in one Redis.

    `clock` (ms since 1970) stands in for Redis' own, `settle_ms` for the settings: how long before a level an event
    must be on Kafka to be part of it, infinity where that is never enough.
    """

    def __init__(
        self, client: "redis.Redis", *, clock: Callable[[], int] | None = None, settle_ms: float | None = None
    ) -> None:
        self._client = client
        self._clock = clock
        self._settle_ms = _settle_ms() if settle_ms is None else settle_ms
        self.scripts = {name: client.register_script(text) for name, text in _SCRIPTS.items()}

    def move(self, movements: Sequence[Movement]) -> list[Decision]:
        """Take (or give back) the units of each transition, the earlier ones first, or say why not."""
        return decisions(movements, call_all(self._client, self.moving(movements)))

    def moving(self, movements: Sequence[Movement]) -> list[Call]:
        """Return the calls that `move` makes, for those who have others to make together with them."""
        calls = []
        for batch in chunks(movements, CALL_ENTRIES, lambda movement: len(movement.takes)):
            keys = [decision_key(movement.order_id, movement.version) for movement in batch]
            asked = [
                [
                    event_id(movement.order_id, movement.version),
                    movement.task_id,
                    movement.customer or "",
                    rejections.encode(movement.forbid) if movement.forbid else "",
                    list(movement.takes),
                    list(movement.takes.values()),
                ]
                for movement in batch
            ]
            calls.append(Call(self.scripts["move_stock"], keys, [self._now(), orjson.dumps(asked)]))
        return calls

    def discard(self, task_id: str) -> None:
        """Have nothing moved for this task any more; what it has moved stays until it is undone."""
        self._client.sadd("stock:discarded", task_id)

    def undo(self, order_id: str, version: int, task_id: str) -> None:
        """Take back a movement of this task whose transition will not be stored."""
        self.scripts["undo_move"](keys=[decision_key(order_id, version)], args=[task_id, event_id(order_id, version)])

    def published(self, sent: Sequence[Sent]) -> None:
        """Note on the holds of these events that they are on Kafka. Noting it again, or a repeat, changes nothing."""
        call_all(self._client, self.noting_published(sent))

    def noting_published(self, sent: Sequence[Sent]) -> list[Call]:
        """Return the calls that `published` makes, for those who have others to make together with them."""
        holding = [(event, taken) for event in sent if (taken := [id_ for id_, n in event.takes.items() if n > 0])]
        calls = []
        for batch in chunks(holding, CALL_ENTRIES, lambda entry: len(entry[1])):
            told = [
                [event.event_id, f"{event.topic}/{event.partition}", event.offset, event.at, taken]
                for event, taken in batch
            ]
            args = [self._now(), int(self._settle_ms < math.inf), FOLD_AFTER_MS, orjson.dumps(told)]
            calls.append(Call(self.scripts["note_published"], [], args))
        return calls

    def set_level(self, level: Level) -> bool:
        """Store one level; see `set_levels`."""
        return self.set_levels([level])[0]

    def set_levels(self, levels: Sequence[Level]) -> list[bool]:
        """Store levels, those of a product in their order, and settle what they include.

        Return for each whether it is its product's newest; one that is too old still settles what it names.
        """
        newest = [False] * len(levels)
        for places in rounds([level.product_id for level in levels]):
            names = {place: list(levels[place].names) for place in places}
            first = True
            while names:
                calls = [
                    Call(self.scripts["set_level"], [], self._level_args(levels[place], left[:NAMES], first=first))
                    for place, left in names.items()
                ]
                answers: list[tuple[int, int]] = call_all(self._client, calls)
                for place, (is_newest, more) in zip(list(names), answers, strict=True):
                    newest[place] = bool(is_newest)
                    names[place] = names[place][NAMES:]
                    if not (more or names[place]):
                        del names[place]
                first = False
        return newest

    def _level_args(self, level: Level, names: list[str], *, first: bool) -> list[str | bytes | float]:
        seen = {f"{topic}/{partition}": last for topic, of in level.seen.items() for partition, last in of.items()}
        return [
            level.product_id,
            _or_empty(level.units),
            _or_empty(level.version),
            level.at,
            level.source,
            level.offset,
            _or_empty(level.counted_by),
            _or_empty(level.read_at),
            self._now(),
            self._settle_ms if self._settle_ms < math.inf else "",
            orjson.dumps(names),
            orjson.dumps(seen),
            int(first),
        ]

    def settle_quiet(self, now_ms: int) -> int:
        """Settle what was published before the last level of products that nothing was heard of since; return how many.

        `now_ms` is the time up to which every level that Kafka has is known here (see tasks/levels_read.py).
        """
        if self._settle_ms == math.inf:
            return 0
        settled, quiet_since = 0, now_ms - self._settle_ms
        for product in cast(list[str], self._client.zrangebyscore("stock:quiet", "-inf", quiet_since)):
            more = True
            while more:
                count, more = cast(tuple[int, bool], self.scripts["settle_quiet"](args=[product, quiet_since]))
                settled += count
        return settled

    def _now(self) -> int | str:
        return self._clock() if self._clock else ""


def _settle_ms() -> float:
    chosen = settings()
    return chosen.stock_settle_seconds * 1000 if chosen.stock_settle == "timed" else math.inf


def _or_empty(value: int | None) -> int | str:
    return "" if value is None else value
