"""Movements of stock, one for each transition of an order, and what is decided about them."""

from collections.abc import Sequence
from dataclasses import dataclass

from models import rejections
from models.rejections import Problem


def event_id(order_id: str, version: int) -> str:
    """Return the id of a transition's event, our `ce_id`: its holds are kept under it."""
    return f"{order_id}:{version}"


def decision_key(order_id: str, version: int) -> str:
    """Return the key of what was decided about the stock of one transition."""
    return f"order:{order_id}:{version}:stock"


@dataclass(frozen=True, slots=True)
class Movement:
    """The units that one transition takes by product (negative: gives back).

    `forbid` refuses it where its customer wants no notifications, unless it was decided before.
    """

    order_id: str
    version: int
    task_id: str
    takes: dict[str, int]
    customer: str | None = None
    forbid: Problem | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about a transition's stock, and for which task; of what is another's no problem is told.

    `silent` says that the movement's customer wants to hear of no orders.
    """

    problem: Problem | None
    task_id: str
    silent: bool


def decisions(movements: Sequence[Movement], answers: Sequence[list[list[str]]]) -> list[Decision]:
    """Return what move_stock.lua decided about these, by the answers of its calls."""
    each = (answer for of_one_call in answers for answer in of_one_call)
    return [_decided(movement, *answer) for movement, answer in zip(movements, each, strict=True)]


def _decided(movement: Movement, verdict: str, detail: str, decided_for: str, silent: str) -> Decision:
    problem: Problem | None = None
    products = list(movement.takes)
    if decided_for != movement.task_id:
        return Decision(None, decided_for, bool(silent))  # what was said to another task speaks of that one's products
    if verdict == "forbidden":
        problem = rejections.decode(detail)
    elif verdict == "discarded":
        problem = rejections.discarded()
    elif verdict == "unknown":
        problem = rejections.unknown_product([products[int(place) - 1] for place in detail.split(",")])
    elif verdict == "short":
        problem = rejections.insufficient_stock([_shortage(movement.takes, entry) for entry in detail.split(",")])
    return Decision(problem, decided_for, bool(silent))


def _shortage(takes: dict[str, int], entry: str) -> rejections.Shortage:
    place, available = entry.split("=")
    product_id, requested = list(takes.items())[int(place) - 1]
    return {"productId": product_id, "requested": requested, "available": max(0, int(available))}
