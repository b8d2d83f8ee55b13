"""Reading the shapes in which product services and log-ins come; whatever can't be read says why.

camelCase or snake_case, flat or nested. The innermost place where something is told counts for what it is about (the
id, the level), the outermost for the event itself (its type, its time).
"""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from models.customers import Login
from models.ids import RESERVED_USER_IDS, is_id
from models.stock import Level

MAX_AHEAD_MS = 5 * 60 * 1000
"""A clock that is further ahead than this is not believed."""

MAX_EXACT = 2**53 - 1
"""Redis' scripts count in doubles; a larger number would not be exact."""

MAX_EMAIL = 320
_TIMES = ("time", "timestamp", "eventTime", "event_time", "occurredAt", "occurred_at", "updatedAt", "updated_at")
_LEVELS = ("stock", "quantity", "available", "inventory")


class UnreadableError(Exception):
    """A message that can't be read; its text is the reason, and quotes nothing of what it holds."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A Kafka message, as far as reading it needs; `timestamp` is Kafka's, in milliseconds since 1970."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]

    @property
    def source(self) -> str:
        """Where offsets can be compared."""
        return f"{self.topic}/{self.partition}"


def read_product_event(message: Incoming) -> Level:
    """Return the stock level, or the removal, that a message of `product_events` tells of."""
    if message.value is None:
        return _level(message, _id(_text(message.key)), None, None, _event_time(message, []))
    layers = _layers(message.value, ("product", "data", "payload"))
    inside = layers[::-1]
    product_id = _id(_first(inside, ("productId", "product_id")) or _first(inside, ("id", "_id", "sku")))
    version = _first(inside, ("version", "sequence"))
    if not _is_count(version):
        version = None  # a schema's version, say
    at = _event_time(message, layers)
    kind = _first(layers, ("type",))
    if isinstance(kind, str) and "deleted" in kind.lower():
        return _level(message, product_id, None, version, at)
    units = _first(inside, _LEVELS)
    if isinstance(units, float) and units.is_integer():
        units = int(units)
    if not _is_count(units):
        raise UnreadableError("the stock level is no whole number of at least 0")
    return _level(message, product_id, units, version, at)


def read_login(message: Incoming) -> Login:
    """Return what a message of `user_logged_in` tells of a customer."""
    if message.value is None:
        raise UnreadableError("a login without a value")
    layers = _layers(message.value, ("user", "data", "payload"))
    inside = layers[::-1]
    user_id = _id(_first(inside, ("userId", "user_id")) or _first(inside, ("id", "_id")))
    if user_id in RESERVED_USER_IDS:
        raise UnreadableError("the id is reserved")
    email, preferences = _first(inside, ("email",)), _first(inside, ("preferences",))
    if email is not None and not (isinstance(email, str) and 0 < len(email) <= MAX_EMAIL):
        raise UnreadableError("the e-mail is no text of a sensible length")
    if preferences is not None and not isinstance(preferences, dict):
        raise UnreadableError("the preferences are no object")
    return Login(user_id, email, preferences, _event_time(message, layers), message.source, message.offset)


def _level(message: Incoming, product_id: str, units: int | None, version: int | None, at: int) -> Level:
    return Level(product_id, units, version, at, message.source, message.offset)


def _layers(value: bytes, nests: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the objects of a message, from the outermost to the innermost."""
    try:
        found = json.loads(value.decode())
        found_text = json.dumps(found, ensure_ascii=False)
        found_text.encode()  # half a surrogate pair can't be stored
    except (ValueError, RecursionError):
        raise UnreadableError("the value is not JSON in UTF-8") from None
    layers = []
    while isinstance(found, dict):
        layers.append(found)
        found = next((found[name] for name in nests if isinstance(found.get(name), dict)), None)
    if not layers:
        raise UnreadableError("the value is no JSON object")
    return layers


def _first(layers: Iterable[dict[str, Any]], names: tuple[str, ...]) -> Any:
    return next((layer[name] for layer in layers for name in names if layer.get(name) is not None), None)


def _id(found: Any) -> str:
    if isinstance(found, int) and not isinstance(found, bool):
        found = str(found)
    if not is_id(found):
        raise UnreadableError("there is no id, or none of 1 to 64 letters, digits and _ . : -")
    return str(found)


def _text(key: bytes | None) -> str | None:
    try:
        return None if key is None else key.decode()
    except UnicodeDecodeError:
        return None


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_EXACT


def _event_time(message: Incoming, layers: list[dict[str, Any]]) -> int:
    """Return when it happened (ms), by the event itself, else by Kafka; a time well ahead of now is not believed."""
    now = int(time.time() * 1000)
    arrived = message.timestamp if 0 < message.timestamp <= now + MAX_AHEAD_MS else now
    told = next((layer[name] for name in _TIMES for layer in layers if layer.get(name) is not None), None)
    if told is None:
        told = next((_text(value) for name, value in message.headers if name == "ce_time"), None)
    if told is None:
        return arrived
    at = _milliseconds(told)
    return at if at <= now + MAX_AHEAD_MS else arrived


def _milliseconds(told: Any) -> int:
    if isinstance(told, (int, float)) and not isinstance(told, bool) and 0 <= told <= MAX_EXACT:
        return int(told)
    try:
        moment = datetime.fromisoformat(told)
        if moment.tzinfo is None:
            raise UnreadableError("the time has no zone")
        return int(moment.timestamp() * 1000)
    except (TypeError, ValueError, OverflowError):
        raise UnreadableError("the time is neither RFC 3339 nor milliseconds") from None
