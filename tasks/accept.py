"""The one way in which the API enqueues writes: record, predecessor, message and idempotency in one script."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import orjson
import redis
from redis.commands.core import AsyncScript, Script

from models.representations import timestamp
from models.writes import Write
from settings import settings
from tasks.envelope import PREDECESSOR_SLOT, envelope
from tasks.records import QUEUE, QUEUED, UNACKED, new_record, order_keys, record_key
from tasks.transport.scripts import COUNTS

Verdict = Literal["accepted", "absent", "reused", "full", "refused"]
"""What became of a write: accepted (now or before), no such order, its Idempotency-Key is another body's, too much is
waiting, or the caller's own refusal stands."""

_ACCEPT = (Path(__file__).parent / "accept.lua").read_text()


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """What a caller names a write by: the Redis key that remembers its answer, and the hash of the write's body."""

    name: str
    body_hash: str


@dataclass(frozen=True, slots=True)
class Submission:
    """A write to be accepted.

    `exists` says that the order is stored or is being created here; otherwise its create must have been accepted and
    not have failed. With `instead` nothing new is accepted: only a write that was accepted before is answered so.
    """

    write: Write
    exists: bool
    key: IdempotencyKey | None = None
    instead: Literal["refused", "full"] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a write. The ids are those it was first accepted with, empty where it was not."""

    verdict: Verdict
    task_id: str = ""
    order_id: str = ""


def accept(client: "redis.Redis", submission: Submission) -> Answer:
    """Accept a write; running it again, or another with the same key and body, adds nothing.

    Raises
    ------
    redis.RedisError
        whether the write was accepted is then unknown.

    """
    keys, args = _call([submission])
    return _answers(Script(client, _ACCEPT)(keys=keys, args=args))[1][0]


async def accept_together(client: "redis.asyncio.Redis", submissions: Sequence[Submission]) -> tuple[int, list[Answer]]:
    """Accept writes by one command, each as `accept` does; return also how many messages are not ended then."""
    keys, args = _call(submissions)
    return _answers(await AsyncScript(client, _ACCEPT)(keys=keys, args=args))


def _call(submissions: Sequence[Submission]) -> tuple[list[str], list[str | bytes | int]]:
    keys = [QUEUE, UNACKED, COUNTS]
    args: list[str | bytes | int] = [settings().queue_mark, PREDECESSOR_SLOT]
    for submission in submissions:
        write, key = submission.write, submission.key
        accepted_at = timestamp(write.accepted_at)
        record: dict[str, Any] = {**new_record(QUEUED, write.task_id, write.order_id, accepted_at)}
        if key is not None:
            record["idempotency"] = key.name  # whoever ends the write gives it the record's last day
        keys += (record_key(write.task_id), *order_keys(write.order_id), record_key(write.order_id))
        keys.append(key.name if key else "")
        args += (write.task_id, write.order_id, orjson.dumps(record), _message(write, accepted_at))
        args += (int(submission.exists), submission.instead or "", key.body_hash if key else "")
    return keys, args


def _message(write: Write, accepted_at: str) -> str:
    kwargs: dict[str, Any] = {"order_id": write.order_id, "accepted_at": accepted_at, "body": write.body}
    if write.if_match is not None:
        kwargs["if_match"] = write.if_match
    shown = {"order_id": write.order_id, "accepted_at": accepted_at, "predecessor": None}
    return envelope(f"{write.kind}_order", write.task_id, kwargs, QUEUE, **shown)


def _answers(told: Any) -> tuple[int, list[Answer]]:
    unfinished, *values = cast("tuple[int, *tuple[str, ...]]", told)
    return unfinished, [
        Answer(cast("Verdict", verdict), task_id, order_id)
        for verdict, task_id, order_id in zip(values[::3], values[1::3], values[2::3], strict=True)
    ]
