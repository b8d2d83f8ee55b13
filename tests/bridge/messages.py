"""Messages as the bridge gets them from Kafka, made without Kafka."""

import json
import time
from typing import Any

from bridge.incoming import Headers, Incoming

NOW = int(time.time() * 1000)
ARRIVED = NOW - 60_000
"""Kafka's own time of every message here."""


def message(
    value: Any, *, topic: str = "product_events", key: bytes | None = b"key", headers: Headers = ()
) -> Incoming:
    """Return a message; bytes and None are its value as they are, all else becomes JSON."""
    raw = value if isinstance(value, bytes) or value is None else json.dumps(value).encode()
    return Incoming(topic, partition=2, offset=7, timestamp=ARRIVED, key=key, value=raw, headers=headers)


def login(value: Any, **more: Any) -> Incoming:
    """Return a message of `user_logged_in`."""
    return message(value, topic="user_logged_in", **more)
