"""How a message that no task can be run for is set aside: it waits for an operator, and holds up no other."""

import json
from typing import cast

import redis
from celery import states

from models import rejections
from tasks.records import PARKED, UNACKED, UNACKED_INDEX, Ending, Records, new_record, parked_entry
from tasks.transport.scripts import COUNTS

MAX_ID = 255
"""Characters of a task id; what is longer is none."""


def malformed_key(queue: str) -> str:
    """Return the list of what was in this queue and is no message of a task."""
    return f"{queue}.malformed"


def set_aside(client: "redis.Redis", tag: str, reason: str, starts: int = 0) -> None:
    """Keep a message in hand that no task can be run for, and acknowledge it.

    It is parked under its task's id, or is one of its queue's malformed items where it has none. A write ends as
    parked, and the write behind it goes on.
    """
    held = cast("str | None", client.hget(UNACKED, tag))
    if held is None:
        return  # its lease was lost, and another worker has it
    message, _, queue = json.loads(held)
    headers = message.get("headers") if isinstance(message.get("headers"), dict) else {}
    task_id, order_id = headers.get("id"), headers.get("order_id")
    known = isinstance(task_id, str) and 0 < len(task_id) <= MAX_ID
    record = None
    if known and isinstance(order_id, str):
        record = new_record(states.FAILURE, str(task_id), order_id, str(headers.get("accepted_at")))
        record["problem"] = rejections.parked(reason)
    with client.pipeline(transaction=True) as pipeline:
        if known:
            pipeline.hset(PARKED, task_id, parked_entry(message, queue, reason, starts))
        else:
            pipeline.lpush(malformed_key(queue), json.dumps(message))
        pipeline.hincrby(COUNTS, "messages_parked", 1)
        if record is None:
            pipeline.hdel(UNACKED, tag)
            pipeline.zrem(UNACKED_INDEX, tag)
        pipeline.execute()
    if record is not None:
        Records(client).end([Ending(record, tag=tag)])
