"""Identifiers: which ones the service takes, and how it makes its own."""

import os
import re
import time
import uuid

ID_PATTERN = r"[A-Za-z0-9_.:-]{1,64}"
RESERVED_USER_IDS = frozenset({"all", "create"})
"""Never a `userId`: they are paths of their own under `/order/`."""

_ID = re.compile(ID_PATTERN)


def is_id(text: object) -> bool:
    """Tell whether `text` may be an order's, user's or product's id."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def new_id(now_ms: int | None = None) -> str:
    """Return a UUID version 7 (RFC 9562, section 5.7): random, and ordered by its time in milliseconds."""
    milliseconds = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    value = milliseconds << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76  # version
    value = value & ~(0x3 << 62) | 0x2 << 62  # variant
    return str(uuid.UUID(int=value))
