"""A body's JSON as it arrives: in UTF-8, of a bounded size, and with every number as exact as it was written."""

import json
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from api.problems import invalid, malformed

MAX_BODY_BYTES = 256 * 1024
READ_LIMIT = MAX_BODY_BYTES + 1
"""Werkzeug cuts a chunked body off at its limit without a word; one byte beyond ours shows that there was more."""

_BEYOND = Decimal("Infinity")
"""Stands for a number of more digits than Python converts: none of our fields takes it."""


class Headers(Protocol):
    """A request's headers, found by their names however these are spelt."""

    def get(self, name: str, /) -> str | None:
        """Return the header's value, None where there is none."""


class WriteRequest(Protocol):
    """As much of werkzeug's `Request` as a write is made of."""

    @property
    def method(self) -> str: ...  # noqa: D102 - werkzeug's own

    @property
    def path(self) -> str: ...  # noqa: D102

    @property
    def headers(self) -> Headers: ...  # noqa: D102

    @property
    def is_json(self) -> bool: ...  # noqa: D102

    def get_data(self) -> bytes: ...  # noqa: D102


def read_json(request: WriteRequest) -> dict[str, Any]:
    """Return the body's JSON object, its fractions as Decimal."""
    if not request.is_json:
        raise UnsupportedMediaType("The body must be application/json.")
    raw = request.get_data()
    if len(raw) > MAX_BODY_BYTES:
        raise RequestEntityTooLarge
    try:
        # Decoded here: given bytes, json.loads would take UTF-16 and UTF-32 too.
        body = _DECODER.decode(raw.decode())
        if b"\\u" in raw:
            # Half a surrogate pair is JSON by its grammar, but no text that could be stored or sent on.
            json.dumps(body, ensure_ascii=False, default=str).encode()
    except (ValueError, RecursionError) as error:
        raise malformed("The body is not JSON in UTF-8.") from error
    if not isinstance(body, dict):
        raise invalid([{"pointer": "", "detail": "must be an object"}])
    return body


def _fraction(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        return _BEYOND


def _integer(text: str) -> int | Decimal:
    try:
        return int(text)
    except ValueError:
        return _BEYOND


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_float=_fraction, parse_int=_integer, parse_constant=_no_constant)
