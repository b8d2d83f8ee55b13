"""Partitions that are stopped because dead letter after dead letter came from them.

A producer that sends what nobody can read is an accident that a person should see before more of it is laid aside. A
partition stays stopped until its bridge is started again, it goes to another bridge, or an operator says
`python -m bridge resume`: the bridge notes it in Redis, the command removes the note, and the bridge sees that.
"""

import json
import logging
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

import redis

from bridge.incoming import Place
from models.representations import timestamp

STOPPED = "bridge:stopped"
"""The hash of stopped partitions: `topic/partition` to a JSON object that says since when and where."""

LOOK_SECONDS = 1.0
"""How often an operator's word is looked for."""

REMIND_SECONDS = 60.0

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Stop:
    """Where a partition was stopped, whether Redis has it, and when it was last logged."""

    note: str
    noted: bool = False
    told_at: float = 0.0


class Stops:
    """How many dead letters came in a row from each partition of one bridge, and which are stopped for it."""

    def __init__(self, client: "redis.Redis", limit: int) -> None:
        self.limit = limit
        self._client = client
        self._in_a_row: dict[Place, int] = {}
        self._stopped: dict[Place, _Stop] = {}
        self._stale: set[Place] = set()
        self._due = 0.0

    @property
    def in_a_row(self) -> Mapping[Place, int]:
        """Return how many came in a row from each partition."""
        return self._in_a_row

    @property
    def places(self) -> set[Place]:
        """Return the partitions that are stopped."""
        return set(self._stopped)

    def begin(self, places: Collection[Place]) -> None:
        """Count anew for partitions that are read from now on; what was noted of them is past."""
        self.forget(places)
        self._stale.update(places)
        self._due = 0.0

    def forget(self, places: Collection[Place]) -> None:
        """Forget partitions that somebody else reads; what is noted of them is for the other to see to."""
        for place in places:
            self._in_a_row.pop(place, None)
            self._stopped.pop(place, None)
            self._stale.discard(place)

    def count(self, in_a_row: Mapping[Place, int], stopped: Mapping[Place, int]) -> None:
        """Take over the counts after a batch, and stop partitions (each with the offset at which to read on)."""
        self._in_a_row |= in_a_row
        for place, offset in stopped.items():
            self._in_a_row[place] = 0
            self._stopped[place] = _Stop(json.dumps({"at": timestamp(datetime.now(UTC)), "offset": offset}))
            self._due = 0.0

    def look(self) -> None:
        """Note what is stopped, let go what an operator has resumed, and log what still stands, now and then."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + LOOK_SECONDS
        if self._stale:
            self._client.hdel(STOPPED, *map(_name, self._stale))
            self._stale.clear()
        noted = set(cast("list[str]", self._client.hkeys(STOPPED))) if self._stopped else set()
        for place, stop in list(self._stopped.items()):
            if not stop.noted:
                self._client.hset(STOPPED, _name(place), stop.note)
                stop.noted = True
            elif _name(place) not in noted:
                del self._stopped[place]
                _log.warning("%s: reading on, as an operator said", _name(place))
                continue
            if time.monotonic() >= stop.told_at + REMIND_SECONDS or not stop.told_at:
                stop.told_at = time.monotonic()
                _log.error(
                    "%s is stopped: %d messages in a row can't be read; go on with: python -m bridge resume %s %d",
                    *(_name(place), self.limit, *place),
                )


def resume(client: "redis.Redis", topic: str | None, partition: int | None) -> list[str]:
    """Let stopped partitions be read on (all, a topic's, or the one); return their names."""
    stopped = cast("list[str]", client.hkeys(STOPPED))
    chosen = [name for name in sorted(stopped) if _is_meant(name, topic, partition)]
    # One that is resumed by its own bridge's restart in this moment is no error.
    return [name for name in chosen if client.hdel(STOPPED, name)]


def _is_meant(name: str, topic: str | None, partition: int | None) -> bool:
    of, _, number = name.rpartition("/")
    return topic in {None, of} and (partition is None or str(partition) == number)


def _name(place: Place) -> str:
    return f"{place[0]}/{place[1]}"
