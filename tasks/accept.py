"""The one way in which the API enqueues a write: record, predecessor, message and idempotency in one script."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import redis

from models.representations import timestamp
from models.writes import Write
from settings import settings
from tasks.envelope import PREDECESSOR_SLOT, envelope
from tasks.records import QUEUE, QUEUED, new_record, order_keys, record_key

Verdict = Literal["accepted", "absent", "reused", "full", "refused"]
"""What became of a write: accepted (now or before), no such order, its Idempotency-Key is another body's, too much is
waiting, or the caller's own refusal stands."""

IN_HAND, COUNTS = "unacked", "counts"
"""kombu's hash of the messages that workers have in hand; how often each safeguard fired."""

_ACCEPT = (Path(__file__).parent / "accept.lua").read_text()
_OUT_OF_MEMORY = "OOM command not allowed"
"""How Redis 6.2 words it within the error of a script; redis-py knows it as a type only at an error's start."""


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """What a caller names a write by: the Redis key that remembers its answer, and the hash of the write's body."""

    name: str
    body_hash: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a write. The ids are those it was first accepted with, empty where it was not."""

    verdict: Verdict
    task_id: str = ""
    order_id: str = ""


def accept(
    client: "redis.Redis",
    write: Write,
    *,
    exists: bool,
    key: IdempotencyKey | None = None,
    instead: Literal["refused", "full"] | None = None,
) -> Answer:
    """Accept the write; running it again, or another with the same key and body, adds nothing.

    `exists` says that the order is stored or is being created here; otherwise its create must have been accepted and
    not have failed. With `instead` nothing new is accepted: only a write that was accepted before is answered so.

    Raises
    ------
    redis.RedisError
        whether the write was accepted is then unknown.

    """
    accepted_at = timestamp(write.accepted_at)
    kwargs: dict[str, Any] = {"order_id": write.order_id, "accepted_at": accepted_at, "body": write.body}
    if write.if_match is not None:
        kwargs["if_match"] = write.if_match
    message = envelope(
        f"{write.kind}_order",
        write.task_id,
        kwargs,
        QUEUE,
        order_id=write.order_id,
        accepted_at=accepted_at,
        predecessor=None,
    )
    record: dict[str, Any] = {**new_record(QUEUED, write.task_id, write.order_id, accepted_at)}
    keys = [record_key(write.task_id), *order_keys(write.order_id), QUEUE, record_key(write.order_id), IN_HAND, COUNTS]
    if key is not None:
        record["idempotency"] = key.name  # whoever ends the write gives it the record's last day
        keys.append(key.name)
    args: list[str | int] = [
        *(write.task_id, write.order_id, json.dumps(record), message, PREDECESSOR_SLOT),
        *(int(exists), settings().queue_mark, instead or "", key.body_hash if key else ""),
    ]
    try:
        answer = cast("tuple[Verdict, str, str]", client.register_script(_ACCEPT)(keys=keys, args=args))
    except redis.ResponseError as error:
        if _OUT_OF_MEMORY in str(error):
            return Answer("full")
        raise
    return Answer(*answer)
