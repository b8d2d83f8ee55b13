"""Reading orders: newest first, a page at a time or all of them in constant memory."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import orjson
from flask import Response, request
from pymongo.collection import Collection

from api.problems import malformed
from models.ids import is_id
from models.order import STATUSES, OrderDocument
from models.representations import ShownOrder, newest_shown

MAX_LIMIT = 1000
BATCH = 500
"""Orders read and written at a time where all are asked for."""

_CURSOR_MARK = "after:"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which orders are asked for; `after` is the id of the last one that the caller has seen."""

    user_id: str | None
    status: str | None
    after: str | None
    limit: int | None

    def filter(self) -> dict[str, Any]:
        """Return the MongoDB filter."""
        wanted: dict[str, Any] = {"deletedAt": None}
        if self.user_id is not None:
            wanted["userId"] = self.user_id
        if self.status is not None:
            wanted["status"] = self.status
        if self.after is not None:
            wanted["_id"] = {"$lt": self.after}  # ids are ordered by time
        return wanted


def selection_from_query(user_id: str | None = None) -> Selection:
    """Read the query string; `user_id` is the path's, where the path names one.

    Raises
    ------
    APIProblem
        400 for a parameter that is unknown, repeated or wrong.

    """
    allowed = {"limit", "cursor", "status"} | (set() if user_id else {"userId"})
    given = request.args.to_dict(flat=False)
    if unknown := sorted(set(given) - allowed):
        raise malformed(f"There is no query parameter {', '.join(unknown)} here.")
    if repeated := [name for name, values in given.items() if len(values) > 1]:
        raise malformed(f"Query parameter {repeated[0]} is given twice.")
    status, owner = request.args.get("status"), user_id or request.args.get("userId")
    if status is not None and status not in STATUSES:
        raise malformed(f"status must be one of {', '.join(STATUSES)}.")
    if owner is not None and not is_id(owner):
        raise malformed("userId is no id.")
    return Selection(owner, status, _after(request.args.get("cursor")), _limit(request.args.get("limit")))


def list_response(collection: "Collection[OrderDocument]", selection: Selection) -> Response:
    """Answer with a JSON array of orders: one page where a limit is given, else all of them, streamed if many."""
    if selection.limit is None:
        return Response(everything(collection, selection), content_type="application/json")
    orders = newest_shown(collection, selection.filter(), selection.limit + 1)  # one more: is there a next page?
    page = orders[: selection.limit]
    response = Response(orjson.dumps(page), content_type="application/json")
    if len(orders) > len(page):
        query = {name: value for name, value in request.args.items() if name != "cursor"}
        cursor = urlsafe_b64encode(f"{_CURSOR_MARK}{page[-1]['orderId']}".encode()).decode().rstrip("=")
        response.headers["Link"] = f'<{request.path}?{urlencode({**query, "cursor": cursor})}>; rel="next"'
    return response


def everything(collection: "Collection[OrderDocument]", selection: Selection) -> bytes | Iterator[bytes]:
    """Return a JSON array of all these orders, in parts if there are many."""
    first = newest_shown(collection, selection.filter(), BATCH)  # what breaks here is still a clean answer
    return orjson.dumps(first) if len(first) < BATCH else _stream(collection, selection, first)


def _stream(collection: "Collection[OrderDocument]", selection: Selection, batch: list[ShownOrder]) -> Iterator[bytes]:
    """Yield all orders, each batch by a query of its own: the time spent for one cursor adds up to MongoDB's limit."""
    opening = b"["
    while batch:
        yield opening + orjson.dumps(batch)[1:-1]
        opening = b","
        following = replace(selection, after=batch[-1]["orderId"])
        batch = newest_shown(collection, following.filter(), BATCH) if len(batch) == BATCH else []
    yield b"]"


def _limit(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MAX_LIMIT)) and 1 <= int(text) <= MAX_LIMIT):
        raise malformed(f"limit must be a whole number from 1 to {MAX_LIMIT}.")
    return int(text)


def _after(cursor: str | None) -> str | None:
    if cursor is None:
        return None
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError):
        text = ""
    if not (text.startswith(_CURSOR_MARK) and is_id(text.removeprefix(_CURSOR_MARK))):
        raise malformed("cursor is none that this service gave.")
    return text.removeprefix(_CURSOR_MARK)
