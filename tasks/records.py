"""What is known of an accepted write: Celery's own result record, with `QUEUED` before it and the order named in it.

A record has no end until its write has one; from then on it lives for a day. The first end stands.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NotRequired, TypedDict, cast

import orjson
import redis
from celery import states
from celery.backends.redis import RedisBackend

from models import rejections
from models.connections import redis_client
from models.movements import decision_key
from models.representations import timestamp
from models.scripts import Call, call_all
from models.writes import Outcome, Write
from tasks.transport.scripts import COUNTS

QUEUED = "QUEUED"
"""Accepted and not started: the one state that Celery has no name for."""

QUEUE = "orders"
UNACKED, UNACKED_INDEX = "unacked", "unacked_index"
"""Where kombu keeps what workers have in hand."""

UNSTORED = "stock:ended"
"""The set of writes that ended without storing a transition (tasks/unstored.py)."""

PARKED = "parked"
"""The hash of messages that wait for an operator, by task."""

LIFETIME = 24 * 3600
"""How long records live from a write's end, in seconds."""

_HERE = Path(__file__).parent
_END, _MARK = ((_HERE / f"{name}.lua").read_text() for name in ("end_writes", "mark_write"))
_log = logging.getLogger(__name__)


class Record(TypedDict):
    """The record as Redis holds it, in Celery's format; the last three are ours."""

    status: str
    result: Any
    traceback: None
    children: list[str]
    date_done: str | None
    task_id: str
    order_id: str
    accepted_at: str
    problem: NotRequired[rejections.Problem]


def record_key(task_id: str) -> str:
    """Return the key of a write's record; it is Celery's own."""
    return f"celery-task-meta-{task_id}"


def order_keys(order_id: str) -> list[str]:
    """Return the keys that order the writes of one order: the last accepted one, and the messages that wait."""
    return [f"order:{order_id}:last", f"order:{order_id}:waiting"]


def starts_key(task_id: str) -> str:
    """Return the key that counts how often a redelivered write was started."""
    return f"task:{task_id}:starts"


def parked_entry(message: Mapping[str, Any], queue: str, reason: str, starts: int) -> str:
    """Return what is kept of a parked message."""
    at = timestamp(datetime.now(UTC))
    return json.dumps({"message": json.dumps(message), "queue": queue, "reason": reason, "at": at, "starts": starts})


def new_record(status: str, task_id: str, order_id: str, accepted_at: str, result: Any = None) -> Record:
    """Return a record in this state; its time of end is now where the state is a final one."""
    ended = status in states.READY_STATES
    return {
        "status": status,
        "result": result,
        "traceback": None,
        "children": [],
        "date_done": timestamp(datetime.now(UTC)) if ended else None,
        "task_id": task_id,
        "order_id": order_id,
        "accepted_at": accepted_at,
    }


class Records:
    """The records in one Redis."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client
        self._end = client.register_script(_END)
        self._mark = client.register_script(_MARK)

    def find(self, task_id: str) -> Record | None:
        """Return the record of an accepted write, None where there is none (any more)."""
        return self.find_all([task_id]).get(task_id)

    def find_all(self, task_ids: Sequence[str]) -> dict[str, Record]:
        """Return the records of these writes, as far as there are any."""
        if not task_ids:
            return {}
        texts = cast("list[str | None]", self._client.mget([record_key(task_id) for task_id in task_ids]))
        return {task_id: orjson.loads(text) for task_id, text in zip(task_ids, texts, strict=True) if text is not None}

    def mark(self, record: Record) -> None:
        """Note how far a write has come."""
        self._mark(keys=[record_key(record["task_id"])], args=[orjson.dumps(record)])

    def count_start(self, task_id: str) -> int:
        """Count that this write is about to be carried out by itself; return how often that was so."""
        with self._client.pipeline(transaction=True) as pipeline:
            pipeline.incr(starts_key(task_id))
            pipeline.expire(starts_key(task_id), LIFETIME)
            return int(pipeline.execute()[0])

    def acknowledge(self, tags: Sequence[str]) -> None:
        """Drop messages whose tasks have ended."""
        if tags:
            with self._client.pipeline(transaction=True) as pipeline:
                pipeline.hdel(UNACKED, *tags)
                pipeline.zrem(UNACKED_INDEX, *tags)
                pipeline.execute()

    def succeeding(self, outcomes: Sequence[tuple[Write, Outcome]], counts: Mapping[str, int]) -> Call:
        """Return the call that ends writes with their outcomes."""
        return self._ending([_ending(write, outcome) for write, outcome in outcomes], counts)

    def park(self, write: Write, problem: rejections.Problem, reason: str, starts: int) -> None:
        """End a write as FAILURE and keep its message for an operator; its stock stays taken."""
        record = new_record(states.FAILURE, write.task_id, write.order_id, timestamp(write.accepted_at))
        record["problem"] = problem
        held = cast("str | None", self._client.hget(UNACKED, write.delivery_tag)) if write.delivery_tag else None
        if held is not None:
            entry = parked_entry(json.loads(held)[0], QUEUE, reason, starts)
            # First the copy: with it alone the write is parked and runs again, without it it would be lost.
            self._client.hset(PARKED, write.task_id, entry)
        self.end([Ending(record, tag=write.delivery_tag)], {"writes_parked": 1})

    def end(self, endings: Sequence["Ending"], counts: Mapping[str, int] | None = None) -> None:
        """End writes, all of them or none: acknowledge their messages, and queue the writes that waited for them.

        What was decided about their stock is forgotten with their records.
        """
        call_all(self._client, [self._ending(endings, counts or {})])

    def _ending(self, endings: Sequence["Ending"], counts: Mapping[str, int]) -> Call:
        keys = [QUEUE, UNACKED, UNACKED_INDEX, COUNTS, UNSTORED]
        args: list[str | bytes | int] = [LIFETIME, orjson.dumps(counts)]
        for ending in endings:
            record = ending.record
            order_id = record["order_id"]
            keys += [record_key(record["task_id"]), *order_keys(order_id), decision_key(order_id, ending.version)]
            unstored = f"{order_id} {record['task_id']}" if ending.unstored else ""
            args += [record["task_id"], orjson.dumps(record), ending.tag or "", unstored]
        return Call(self._end, keys, args)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a write ends: its final record, the version its stock was decided for, and its message.

    `unstored` says that it may have moved stock for a transition that nobody will store.
    """

    record: Record
    version: int = 0
    tag: str | None = None
    unstored: bool = False


def _ending(write: Write, outcome: Outcome) -> Ending:
    accepted_at = timestamp(write.accepted_at)
    record = new_record(states.SUCCESS, write.task_id, write.order_id, accepted_at, outcome.as_result())
    return Ending(record, outcome.version, write.delivery_tag)


class RecordBackend(RedisBackend):
    """Celery's Redis result backend, storing into the records of accepted writes.

    Celery itself reports here what only it knows: STARTED, RETRY, REVOKED, and a FAILURE that our code did not see.
    """

    def on_task_call(self, producer: Any, task_id: str) -> None:
        """Subscribe to nothing: nobody waits for a result on the connection that sent the task."""

    def _store_result(
        self, task_id: str, result: Any, state: str, _traceback: Any = None, request: Any = None, **_: Any
    ) -> Any:
        order_id = getattr(request, "order_id", None)
        if state == states.SUCCESS or order_id is None:
            return result  # a write's outcome is stored by its commit, before the task returns
        shown = None
        if state in states.EXCEPTION_STATES:
            # The exception's text stays in the log: it may quote what a customer sent.
            shown = {"exc_type": type(result).__name__, "exc_message": [], "exc_module": type(result).__module__}
        record = new_record(state, task_id, order_id, request.accepted_at, shown)
        records = Records(redis_client(self.connection_timeout))
        if state in states.READY_STATES:
            record["problem"] = rejections.revoked() if state == states.REVOKED else rejections.failed()
            records.end([Ending(record, unstored=True)])
            return result
        try:
            records.mark(record)
        except redis.RedisError as error:
            # Only how far it has come; the task itself must run all the same.
            _log.warning("state %s of task %s was not noted: %s", state, task_id, type(error).__name__)
        return result

    connection_timeout = 5.0
    """How long Redis is waited for, in seconds."""
