"""A message as it is taken from Redis, its JSON read quickly and as what it is."""

from typing import Any

import orjson
from kombu.exceptions import DecodeError
from kombu.serialization import register
from kombu.transport import virtual
from kombu.utils.json import dumps, loads

ENVELOPE = "envelope"
"""The header of messages that were filled by tasks/envelope.py."""


class Message(virtual.Message):
    """A message; the arguments in one of our envelopes are plain JSON.

    kombu's reader takes an object with a `__type__` for one that kombu wrote, a date say, and fails where it knows no
    such type: a customer may write that into an order.
    """

    def _decode(self) -> Any:
        if ENVELOPE not in self.headers:
            return super()._decode()
        try:
            return orjson.loads(self.body or b"")
        except orjson.JSONDecodeError as error:
            raise DecodeError(str(error)) from error


def parsed(item: bytes) -> Any:
    """Return an item of a queue, which is JSON as kombu writes it; its reader takes several times as long as orjson."""
    if b'"__type__"' not in item:
        try:
            return orjson.loads(item)
        except orjson.JSONDecodeError:
            pass  # not everything that kombu reads is JSON: NaN, say
    return loads(item)


def written(value: Any) -> str:
    """Return JSON as kombu writes it, sooner; what JSON has no type for is left to kombu."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return str(dumps(value))


def register_serializer() -> None:
    """Name `written` to kombu: `orjson`, whose content is plain JSON, read as such."""
    register("orjson", written, None, content_type="application/json")
