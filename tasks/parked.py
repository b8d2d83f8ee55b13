"""Messages that wait for an operator, who requeues or discards them; tasks/set_aside.py puts them there.

Whoever reads an entry and then changes it says which entry it saw: what another operator did meanwhile stands.
"""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import redis
from celery import states
from pymongo.collection import Collection

from models import fence, rejections
from models.movements import decision_key
from models.order import OrderDocument, TimelineEntry
from models.stock import Stock
from models.writes import Outcome
from tasks.records import PARKED, QUEUED, Record, Records, new_record, order_keys, record_key, starts_key
from tasks.transport.scripts import COUNTS

_HERE = Path(__file__).parent
_REQUEUE, _DISCARD = ((_HERE / f"{name}_parked.lua").read_text() for name in ("requeue", "discard"))


class NotPossibleError(Exception):
    """What an operator asked for would do harm, or can't be done; the text says why."""


def fresh_copy(message: dict[str, Any], queue: str) -> str:
    """Return the message as one that was never delivered: its old copies can be acknowledged without touching it."""
    properties = message["properties"] if isinstance(message.get("properties"), dict) else {}
    info = properties["delivery_info"] if isinstance(properties.get("delivery_info"), dict) else {}
    fresh = {
        **properties,
        "delivery_tag": str(uuid.uuid4()),
        "delivery_info": {"exchange": "", "routing_key": queue},
    }
    fresh["delivery_info"] |= {
        name: info[name] for name in info if name not in {"redelivered", *fresh["delivery_info"]}
    }
    return json.dumps({**message, "properties": fresh})


@dataclass(frozen=True, slots=True)
class Parked:
    """A parked message. `text` is its entry as it was read."""

    task_id: str
    text: str

    @property
    def entry(self) -> dict[str, Any]:
        """Return what is kept of it: message (its text), queue, reason, at, starts."""
        return cast("dict[str, Any]", json.loads(self.text))

    @property
    def message(self) -> dict[str, Any]:
        """Return the message as it was in its queue."""
        return cast("dict[str, Any]", json.loads(self.entry["message"]))

    @property
    def headers(self) -> dict[str, Any]:
        """Return the message's headers: task, order_id, accepted_at and Celery's own."""
        found = self.message.get("headers")
        return found if isinstance(found, dict) else {}

    @property
    def order_id(self) -> str | None:
        """Return which order it is a write to, None where it is no write."""
        found = self.headers.get("order_id")
        return found if isinstance(found, str) else None


class ParkedMessages:
    """The parked messages in one Redis."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client
        self._records = Records(client)
        self._requeue = client.register_script(_REQUEUE)
        self._discard = client.register_script(_DISCARD)

    def all(self) -> Iterator[Parked]:
        """Yield all there are, in no order."""
        for task_id, text in self._client.hscan_iter(PARKED):
            yield Parked(task_id, text)

    def find(self, task_id: str) -> Parked | None:
        """Return the message of a task, None where none is parked."""
        text = cast("str | None", self._client.hget(PARKED, task_id))
        return None if text is None else Parked(task_id, text)

    def requeue(self, parked: Parked) -> bool:
        """Put it back into its queue; False where somebody else has dealt with it meanwhile.

        Raises
        ------
        NotPossibleError
            where discarding it was begun, or its write has not ended.

        """
        entry = parked.entry
        if "discarding" in entry:
            raise NotPossibleError("discarding it was begun: discard it again, to the end")
        known = self._ended(parked)
        keys = [PARKED, entry["queue"], starts_key(parked.task_id), COUNTS]
        record = ""
        if parked.order_id is not None:
            keys += [record_key(parked.task_id), *order_keys(parked.order_id)]
            accepted_at = str(parked.headers.get("accepted_at"))
            before = {name: told for name, told in (known or {}).items() if name != "problem"}
            record = json.dumps(before | new_record(QUEUED, parked.task_id, parked.order_id, accepted_at))
        args = [parked.task_id, parked.text, fresh_copy(parked.message, entry["queue"]), record]
        return bool(self._requeue(keys=keys, args=args))

    def discard(self, parked: Parked, orders: "Collection[OrderDocument]", stock: Stock) -> bool:
        """Give back the stock that a write holds, and forget it; False where somebody else has dealt with it.

        Raises
        ------
        NotPossibleError
            where the write has not ended, or was stored: then its record says so from here on.

        """
        order_id, task_id = parked.order_id, parked.task_id
        record = self._ended(parked)
        if order_id is None or (record is not None and record.get("problem", {}).get("type") != "parked"):
            # No write, or one whose other copy ended: that end has seen to its stock.
            return self._forget(parked)
        # From here on it can't be requeued, so nobody stores what we undo. Cut off, this begins again here.
        begun = Parked(task_id, json.dumps({**parked.entry, "discarding": True}))
        if not self._change(parked, begun.text):
            return False
        # A worker that was paused may have it in hand still: MongoDB decides whether it was quicker.
        if (made := fence.discard(orders, order_id, task_id, datetime.now(UTC))) is not None:
            return self._took_effect(begun, order_id, made, record)
        stock.discard(task_id)
        for key in self._client.scan_iter(decision_key(order_id, 0).replace(":0:", ":*:"), count=1000):
            stock.undo(order_id, int(key.split(":")[-2]), task_id)
        return self._forget(begun, None if record is None else {**record, "problem": rejections.discarded()})

    def _took_effect(self, parked: Parked, order_id: str, made: TimelineEntry, record: Record | None) -> bool:
        ended: Record | None = None
        if record is not None:
            result = Outcome(order_id, made["change"], version=made["version"]).as_result()
            ended = {**record, "status": states.SUCCESS, "result": result}
            del ended["problem"]
        if not self._forget(parked, ended, "discards_too_late"):
            return False
        raise NotPossibleError(f"it took effect (version {made['version']}), and its record says so now")

    def _ended(self, parked: Parked) -> Record | None:
        """Return the write's final record, None where there is none (any more)."""
        record = self._records.find(parked.task_id)
        if record is not None and record["status"] not in states.READY_STATES:
            # It is just being parked, or another copy of its message is under way.
            raise NotPossibleError("its write has not ended yet")
        return record

    def _forget(self, parked: Parked, record: Record | None = None, count: str = "parked_discarded") -> bool:
        return self._change(parked, "", "" if record is None else json.dumps(record), count)

    def _change(self, parked: Parked, text: str, record: str = "", count: str = "") -> bool:
        task_id = parked.task_id
        keys = [PARKED, starts_key(task_id), COUNTS, record_key(task_id)]
        return bool(self._discard(keys=keys, args=[task_id, parked.text, text, record, count]))
