"""The stock Celery message (protocol 2) around a task, as kombu lays it into a Redis list.

Celery writes the message of each kind once; from then on only what differs from one message to the next is filled in.
What may be absent and says nothing is left out: Redis keeps a message twice, and writes it to its disk twice.
https://docs.celeryq.dev/en/stable/internals/protocol.html
"""

import json
import secrets
from base64 import b64encode
from functools import cache
from typing import Any

import orjson

from tasks import app

VERSION = 1
"""Version of what our tasks expect in a message; workers read this one and the one before."""

PREDECESSOR_SLOT = '"predecessor": null'
"""Where accept.lua writes which write came before; it stands once in an envelope, and before the body."""

_TASK_ID, _SHOWN, _TAG, _BODY = (f"@{name}@" for name in ("task-id", "shown", "delivery-tag", "body"))


def envelope(task: str, task_id: str, kwargs: dict[str, Any], queue: str, **headers: str | None) -> str:
    """Return the message of one task; `headers` are shown to operators, `kwargs` are not (they may hold addresses)."""
    told = {name: value for name, value in headers.items() if value is not None}
    parts, slots = _template(task, queue, tuple(headers), tuple(told))
    # In hex, for what can be laid into JSON as it is. Fresh for every push: a retried task keeps its id, and
    # acknowledging one copy must not touch another.
    tag = secrets.token_hex(16)
    body = b64encode(orjson.dumps([(), kwargs, {}])).decode()
    values = {_TASK_ID: _text(task_id), _SHOWN: _text(repr(told)), _TAG: tag, _BODY: body}
    for name, value in told.items():
        values[_slot(name)] = _text(value)
    filled = [parts[0]]
    for slot, part in zip(slots, parts[1:], strict=True):
        filled += (values[slot], part)
    return "".join(filled)


_EMBEDDED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
_REQUIRED = {"lang", "task", "id", "root_id", "parent_id", "group"}
"""Headers that a message must have (protocol 2). Celery reads the others as None, 0 or empty where they are absent, but
for `ignore_result`, which is then the task's own."""


def _slot(header: str) -> str:
    return f"@header-{header}@"


def _text(value: str) -> str:
    return orjson.dumps(value)[1:-1].decode()


@cache
def _template(task: str, queue: str, headers: tuple[str, ...], told: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Return a message in pieces, and what stands between them."""
    message = app.amqp.as_task_v2(_TASK_ID, task, kwargs={}, argsrepr="()", kwargsrepr=_SHOWN)
    assert message.body == ((), {}, _EMBEDDED), "Celery wants something in the body that is not known here"
    text = json.dumps(
        {
            "headers": {
                "envelope": VERSION,
                **{name: _slot(name) if name in told else None for name in headers},
                **{
                    name: value
                    for name, value in message.headers.items()
                    if name in _REQUIRED or _says_something(value)
                },
            },
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "properties": {
                "correlation_id": message.properties["correlation_id"],
                "delivery_mode": 2,
                "delivery_info": {"exchange": "", "routing_key": queue},
                "priority": 0,
                "body_encoding": "base64",
                "delivery_tag": _TAG,
            },
            "body": _BODY,
        }
    )
    slots = [_TASK_ID, _SHOWN, _TAG, _BODY, *map(_slot, told)]
    places = sorted((place, slot) for slot in slots for place in range(len(text)) if text.startswith(slot, place))
    parts, end = [], 0
    for place, slot in places:
        parts.append(text[end:place])
        end = place + len(slot)
    return [*parts, text[end:]], [slot for _, slot in places]


def _says_something(value: Any) -> bool:
    return value not in (None, 0, [], {}) and value != [None, None]
