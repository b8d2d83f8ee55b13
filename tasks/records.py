"""What is known of an accepted write: Celery's own result record, with `QUEUED` before it and the order named in it.

A record has no end until its write has one; from then on it lives for a day. The first end stands.
"""

import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NotRequired, TypedDict, cast

import redis
from celery import states
from celery.backends.redis import RedisBackend

from models import rejections
from models.connections import redis_client
from models.representations import timestamp
from models.stock import decision_key
from models.writes import Outcome, Write

QUEUED = "QUEUED"
"""Accepted and not started: the one state that Celery has no name for."""

QUEUE = "orders"
LIFETIME = 24 * 3600
"""How long records live from a write's end, in seconds."""

_HERE = Path(__file__).parent
_END, _MARK = ((_HERE / f"{name}.lua").read_text() for name in ("end_write", "mark_write"))
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
        text = cast("str | None", self._client.get(record_key(task_id)))
        return None if text is None else cast(Record, json.loads(text))

    def outcome(self, task_id: str) -> Outcome | None:
        """Return how the write ended, None where it has not."""
        record = self.find(task_id)
        if record is None or record["status"] != states.SUCCESS:
            return None
        result = record["result"]
        return Outcome(result["orderId"], result["outcome"], result["problem"])

    def mark(self, record: Record) -> None:
        """Note how far a write has come."""
        self._mark(keys=[record_key(record["task_id"])], args=[json.dumps(record)])

    def succeed(self, write: Write, outcome: Outcome) -> None:
        """End a write with its outcome, and queue the write that waited for it."""
        accepted_at = timestamp(write.accepted_at)
        record = new_record(states.SUCCESS, write.task_id, write.order_id, accepted_at, outcome.as_result())
        self.end(record, decided_version=outcome.version)

    def end(self, record: Record, decided_version: int = 0) -> None:
        """End a write with this record; what was decided about the stock of `decided_version` is forgotten with it."""
        order_id = record["order_id"]
        keys = [record_key(record["task_id"]), *order_keys(order_id), QUEUE, decision_key(order_id, decided_version)]
        self._end(keys=keys, args=[record["task_id"], json.dumps(record), LIFETIME])


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
            records.end(record)
            return result
        try:
            records.mark(record)
        except redis.RedisError as error:
            # Only how far it has come; the task itself must run all the same.
            _log.warning("state %s of task %s was not noted: %s", state, task_id, type(error).__name__)
        return result

    connection_timeout = 5.0
    """How long Redis is waited for, in seconds."""
