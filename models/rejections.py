"""Why a write did not happen: the flat family of business refusals, each with the HTTP status it stands for."""

import json
from typing import Any, TypedDict, cast


class Problem(TypedDict, total=False):
    """What RFC 9457 calls a problem, as it is kept in a task's record. Further members may stand beside these."""

    type: str
    title: str
    status: int
    detail: str


class Shortage(TypedDict):
    """One product of which fewer units can be ordered than were asked for."""

    productId: str
    requested: int
    available: int


def encode(problem: Problem) -> str:
    """Return the problem as text, as it is kept in Redis."""
    return json.dumps(problem)


def decode(text: str) -> Problem:
    """Return what `encode` was given."""
    return cast(Problem, json.loads(text))


def _problem(kind: str, title: str, status: int, detail: str, **more: Any) -> Problem:
    return cast(Problem, {"type": kind, "title": title, "status": status, "detail": detail, **more})


def not_found(order_id: str) -> Problem:
    """Tell that no such order exists, or no longer."""
    return _problem("not-found", "Not found", 404, f"There is no order {order_id}.")


def insufficient_stock(shortages: list[Shortage]) -> Problem:
    """Tell which products are short."""
    names = ", ".join(entry["productId"] for entry in shortages)
    return _problem("insufficient-stock", "Not enough stock", 409, f"Not enough units of {names}.", items=shortages)


def unknown_product(product_ids: list[str]) -> Problem:
    """Tell which products have no stock level at all."""
    detail = f"No stock is known of {', '.join(product_ids)}."
    return _problem("unknown-product", "Unknown product", 409, detail, productIds=product_ids)


def notifications_off(user_id: str) -> Problem:
    """Tell that the customer wants no notifications, so that an order could not be announced."""
    return _problem("notifications-off", "Notifications are off", 409, f"User {user_id} wants no notifications.")


def invalid_transition(detail: str) -> Problem:
    """Tell that the order's status does not allow the change."""
    return _problem("invalid-transition", "Invalid transition", 409, detail)


def failed() -> Problem:
    """Tell that something broke: the log has the cause, the caller learns nothing of our inside."""
    return _problem("failed", "The write failed", 500, "The service could not carry out this write.")


def revoked() -> Problem:
    """Tell that an operator revoked the task before it ran."""
    return _problem("revoked", "Revoked", 409, "An operator revoked this write before it took effect.")


def stale(version: int, current: int) -> Problem:
    """Tell that the order has changed since the caller saw it."""
    detail = f"The order is at version {current}, not {version}."
    return _problem("precondition-failed", "Precondition failed", 412, detail)


def parked(reason: str) -> Problem:
    """Tell that the write could not be carried out, and waits for an operator."""
    return _problem("parked", "Parked", 500, f"The write waits for an operator: {reason}.")


def discarded() -> Problem:
    """Tell that the write was parked, and that an operator gave it up."""
    detail = "The write could not be carried out, and an operator has discarded it."
    return _problem("discarded", "Discarded", 500, detail)
