"""Reading the shapes in which product services and log-ins come; whatever can't be read says why.

camelCase or snake_case, flat or nested. The innermost place where something is told counts for what it is about (the
id, the level), the outermost for the event itself (its type, its time).
"""

import json
import re
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from bridge.incoming import Incoming
from models.customers import Login
from models.ids import ID_PATTERN, RESERVED_USER_IDS, is_id
from models.movements import event_id
from models.stock import Level
from models.transitions import TOPICS

MAX_AHEAD_MS = 5 * 60 * 1000
"""A clock that is further ahead than this is not believed."""

MAX_EXACT = 2**53 - 1
"""Redis' scripts count in doubles; a larger number would not be exact."""

MAX_OFFSET = 2**40
"""The ledger counts offsets up to here (SPAN in models/ledger.lua)."""

MAX_DEPTH = 100
"""Objects and arrays within each other; what is deeper could overflow the stack of whoever reads it next."""

MAX_EMAIL = 320
_TIMES = ("time", "timestamp", "eventTime", "event_time", "occurredAt", "occurred_at", "updatedAt", "updated_at")
_EVENT = re.compile(ID_PATTERN + r":[1-9][0-9]{0,8}")
_ORDER_TOPICS = tuple(TOPICS.values())
_PARTITION = re.compile(r"0|[1-9][0-9]{0,3}")
_LEVELS = ("stock", "quantity", "available", "inventory")


class UnreadableError(Exception):
    """A message that can't be read; its text is the reason, and quotes nothing of what it holds."""


def read_product_event(message: Incoming) -> Level:
    """Return the stock level, or the removal, that a message of `product_events` tells of."""
    if message.value is None:
        return _level(message, [], _id([_text(message.key)]), None)
    layers = _layers(message.value, ("product", "data", "payload"))
    inside = layers[::-1]
    product_id = _id(_told(inside, ("productId", "product_id"), ("id", "_id", "sku")))
    if _is_deletion(message, layers):
        return _level(message, layers, product_id, None)
    units = _count(next(_told(inside, _LEVELS), None))
    if units is None:
        raise UnreadableError("the stock level is no whole number of at least 0")
    return _level(message, layers, product_id, units)


def read_login(message: Incoming) -> Login:
    """Return what a message of `user_logged_in` tells of a customer."""
    if message.value is None:
        raise UnreadableError("a login without a value")
    layers = _layers(message.value, ("user", "data", "payload"))
    inside = layers[::-1]
    user_id = _id(_told(inside, ("userId", "user_id"), ("id", "_id")))
    if user_id in RESERVED_USER_IDS:
        raise UnreadableError("the id is reserved")
    email, preferences = next(_told(inside, ("email",)), None), next(_told(inside, ("preferences",)), None)
    if email is not None and not (isinstance(email, str) and 0 < len(email) <= MAX_EMAIL):
        raise UnreadableError("the e-mail is no text of a sensible length")
    if preferences is not None and not isinstance(preferences, dict):
        raise UnreadableError("the preferences are no object")
    return Login(user_id, email, preferences, _event_time(message, layers), message.source, message.offset)


def _level(message: Incoming, layers: list[dict[str, Any]], product_id: str, units: int | None) -> Level:
    inside = layers[::-1]
    # A version that is no number is a schema's, say.
    versions = (_count(told) for told in _told(inside, ("version", "sequence")))
    now, at = int(time.time() * 1000), _event_time(message, layers)
    return Level(
        product_id,
        units,
        next((version for version in versions if version is not None), None),
        at,
        message.source,
        message.offset,
        names=_names(inside),
        seen=_seen(inside),
        # It was counted before it was written, whatever its own clock says.
        counted_by=min(at, now, *([message.timestamp] if message.timestamp > 0 else [])),
        read_at=now,
    )


def _names(layers: list[dict[str, Any]]) -> list[str]:
    """Return the ids of our events that a level says it includes; what is no such id names nothing.

    An order by itself stands for its first event.
    """
    events = _listed(_told(layers, ("events",)))
    orders = [*_listed(_told(layers, ("orderIds", "order_ids"))), *_told(layers, ("orderId", "order_id"))]
    named = [event for event in events if isinstance(event, str) and _EVENT.fullmatch(event)]
    return list(dict.fromkeys([*named, *(event_id(order, 1) for order in orders if is_id(order))]))


def _listed(told: Iterator[Any]) -> list[Any]:
    return [entry for value in told if isinstance(value, list) for entry in value]


def _seen(layers: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Return the last offset applied by topic and partition, as far as it can be read: the rest tells nothing."""
    told = next(_told(layers, ("seen",)), None)
    topics = told if isinstance(told, dict) else {}
    return {
        topic: {
            partition: last
            for partition, offset in topics[topic].items()
            if _PARTITION.fullmatch(partition) and (last := _count(offset)) is not None and last < MAX_OFFSET
        }
        for topic in _ORDER_TOPICS
        if isinstance(topics.get(topic), dict)
    }


def _layers(value: bytes, nests: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the objects of a message, from the outermost to the innermost."""
    try:
        found = json.loads(value.decode())
        # Neither half a surrogate pair nor NaN could be stored.
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
        shallow = _is_shallow(found)
    except (ValueError, RecursionError):
        raise UnreadableError("the value is not JSON in UTF-8") from None
    if not shallow:
        raise UnreadableError("the value is nested too deeply")
    layers = []
    while isinstance(found, dict):
        # The `id` of a CloudEvents envelope is the event's own.
        layers.append({name: found[name] for name in found if name != "id" or "specversion" not in found})
        found = next((found[name] for name in nests if isinstance(found.get(name), dict)), None)
    if not layers:
        raise UnreadableError("the value is no JSON object")
    return layers


def _is_shallow(value: Any, depth: int = MAX_DEPTH) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return depth > 0 and all(_is_shallow(part, depth - 1) for part in parts)


def _told(layers: list[dict[str, Any]], *names: tuple[str, ...]) -> Iterator[Any]:
    """Yield what is told under these names; the first group counts in all layers before the next one does."""
    return (layer[name] for group in names for layer in layers for name in group if layer.get(name) is not None)


def _id(told: Iterable[Any]) -> str:
    found = next(iter(told), None)
    if isinstance(found, int) and not isinstance(found, bool):
        found = str(found)
    if not is_id(found):
        raise UnreadableError("there is no id, or none of 1 to 64 letters, digits and _ . : -")
    return str(found)


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode(errors="replace")


def _header(message: Incoming, wanted: str) -> str | None:
    return next((_text(value) for name, value in message.headers or () if name == wanted), None)


def _is_deletion(message: Incoming, layers: list[dict[str, Any]]) -> bool:
    kinds = (next(_told(layers, ("type",)), None), _header(message, "ce_type"))
    return any(isinstance(kind, str) and "deleted" in kind.lower() for kind in kinds)


def _count(told: Any) -> int | None:
    """Return a whole number of at least 0 (3.0 is one too), None where it is none, or too large to be exact."""
    if isinstance(told, bool) or not isinstance(told, (int, float)) or not 0 <= told <= MAX_EXACT:
        return None
    return int(told) if told == int(told) else None


def _event_time(message: Incoming, layers: list[dict[str, Any]]) -> int:
    """Return when it happened (ms), by the event itself, else by Kafka; a time well ahead of now is not believed."""
    now = int(time.time() * 1000)
    arrived = message.timestamp if 0 < message.timestamp <= now + MAX_AHEAD_MS else now
    told = next((layer[name] for name in _TIMES for layer in layers if layer.get(name) is not None), None)
    if told is None:
        told = _header(message, "ce_time")
    if told is None:
        return arrived
    at = _milliseconds(told)
    return at if at <= now + MAX_AHEAD_MS else arrived


def _milliseconds(told: Any) -> int:
    if isinstance(told, (int, float)) and not isinstance(told, bool) and 0 <= told <= MAX_EXACT:
        return int(told)
    try:
        moment = datetime.fromisoformat(told.upper())  # RFC 3339 allows a small t and z
        if moment.tzinfo is None:
            raise UnreadableError("the time has no zone")
        return int(moment.timestamp() * 1000)
    except (AttributeError, ValueError, OverflowError):
        raise UnreadableError("the time is neither RFC 3339 nor milliseconds") from None
