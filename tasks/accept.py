"""The one way in which the API enqueues a write: record, predecessor and message in one script."""

import json
from pathlib import Path
from typing import Any

import redis

from models.representations import timestamp
from models.writes import Write
from tasks.envelope import PREDECESSOR_SLOT, envelope
from tasks.records import QUEUE, QUEUED, new_record, order_keys, record_key

_ACCEPT = (Path(__file__).parent / "accept.lua").read_text()


def accept(client: "redis.Redis", write: Write, *, exists: bool) -> bool:
    """Accept the write; running it again adds nothing.

    `exists` says that the order is stored or is being created here; otherwise its create must have been accepted and
    not have failed. Returns False where there is no such order.

    Raises
    ------
    redis.RedisError
        whether the write was accepted is then unknown, unless it is an `OutOfMemoryError`: then it was not.

    """
    accepted_at = timestamp(write.accepted_at)
    kwargs: dict[str, Any] = {"order_id": write.order_id, "accepted_at": accepted_at, "body": write.body}
    message = envelope(
        f"{write.kind}_order",
        write.task_id,
        kwargs,
        QUEUE,
        order_id=write.order_id,
        accepted_at=accepted_at,
        predecessor=None,
    )
    record = new_record(QUEUED, write.task_id, write.order_id, accepted_at)
    keys = [record_key(write.task_id), *order_keys(write.order_id), QUEUE, record_key(write.order_id)]
    args: list[str | int] = [write.task_id, json.dumps(record), message, PREDECESSOR_SLOT, int(exists)]
    return bool(client.register_script(_ACCEPT)(keys=keys, args=args))
