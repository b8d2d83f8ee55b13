"""What the contract says of every answer: exact fields, and problems as RFC 9457 has them. Shared by all tests here."""

import re
from datetime import datetime
from typing import Any

import requests

ACCEPTED_FIELDS = {"taskId", "orderId", "state", "statusUrl", "orderUrl"}
TASK_FIELDS = {"taskId", "orderId", "state", "outcome", "order", "problem", "acceptedAt", "endedAt"}
ITEM_FIELDS = {"productId", "quantity", "unitPrice"}
ORDER_FIELDS = {
    "orderId",
    "userId",
    "items",
    "currency",
    "total",
    "status",
    "shippingAddress",
    "note",
    "metadata",
    "version",
    "createdAt",
    "updatedAt",
}
TIMELINE_FIELDS = {"version", "status", "at", "taskId", "change"}
STATUSES = ("confirmed", "processing", "shipped", "delivered", "cancelled")

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def json_of(answer: requests.Response, status: int = 200) -> Any:
    """Return the JSON of an answer that must have this status."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    return answer.json()


def problem(answer: requests.Response, status: int, kind: str) -> dict[str, Any]:
    """Return the problem that the answer must be."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    check_problem(body, status, kind)
    return body


def check_problem(body: dict[str, Any], status: int, kind: str) -> None:
    """Check a problem, be it an answer's or a task's."""
    assert (body["status"], body["type"]) == (status, kind)
    assert body["title"]
    assert body["detail"]
    assert "Traceback" not in body["detail"]


def pointers(answer: requests.Response) -> set[str]:
    """Return where a refused body is wrong; each place comes with a reason."""
    errors = problem(answer, 422, "invalid")["errors"]
    assert all(set(error) == {"pointer", "detail"} and error["detail"] for error in errors)
    return {error["pointer"] for error in errors}


def moment(text: str) -> datetime:
    """Return a time, which must be RFC 3339 in UTC with milliseconds."""
    assert _TIME.fullmatch(text), text
    return datetime.fromisoformat(text)


def check_order(order: dict[str, Any]) -> None:
    """Check an order's shape as every answer shows it."""
    assert set(order) == ORDER_FIELDS
    assert all(set(item) == ITEM_FIELDS for item in order["items"])
    assert order["status"] in STATUSES
    assert moment(order["createdAt"]) <= moment(order["updatedAt"])
