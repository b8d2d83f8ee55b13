"""The stock Celery message (protocol 2) around a task, as kombu lays it into a Redis list.

https://docs.celeryq.dev/en/stable/internals/protocol.html
"""

import json
import uuid
from base64 import b64encode
from typing import Any

from tasks import app

VERSION = 1
"""Version of what our tasks expect in a message; workers read this one and the one before."""

PREDECESSOR_SLOT = '"predecessor": null'
"""Where accept.lua writes which write came before; it stands once in an envelope, and before the body."""


def envelope(task: str, task_id: str, kwargs: dict[str, Any], queue: str, **headers: Any) -> str:
    """Return the message of one task; `headers` are shown to operators, `kwargs` are not (they may hold addresses)."""
    message = app.amqp.as_task_v2(
        task_id,
        task,
        kwargs=kwargs,
        argsrepr="()",
        kwargsrepr=repr({key: value for key, value in headers.items() if value is not None}),
    )
    return json.dumps(
        {
            "headers": {"envelope": VERSION, **headers, **message.headers},
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "properties": {
                **message.properties,
                "delivery_mode": 2,
                "delivery_info": {"exchange": "", "routing_key": queue},
                "priority": 0,
                "body_encoding": "base64",
                # Fresh for every push: a retried task keeps its id, and acknowledging one copy must not touch another.
                "delivery_tag": str(uuid.uuid4()),
            },
            "body": b64encode(json.dumps(message.body).encode()).decode(),
        }
    )
