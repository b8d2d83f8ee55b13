"""Movements of stock, one for each transition of an order, and what is decided about them."""

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

    `forbid` refuses it, unless it was decided before.
    """

    order_id: str
    version: int
    task_id: str
    takes: dict[str, int]
    forbid: Problem | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about a transition's stock, and for which task; of what is another's no problem is told."""

    problem: Problem | None
    task_id: str


def decided(movement: Movement, verdict: str, detail: str, decided_for: str) -> Decision:
    """Return the decision that move_stock.lua's answer for this movement stands for."""
    problem: Problem | None = None
    products = list(movement.takes)
    if decided_for != movement.task_id:
        return Decision(None, decided_for)  # what was said to another task speaks of that one's products
    if verdict == "forbidden":
        problem = rejections.decode(detail)
    elif verdict == "unknown":
        problem = rejections.unknown_product([products[int(place) - 1] for place in detail.split(",")])
    elif verdict == "short":
        problem = rejections.insufficient_stock([_shortage(movement.takes, entry) for entry in detail.split(",")])
    return Decision(problem, decided_for)


def _shortage(takes: dict[str, int], entry: str) -> rejections.Shortage:
    place, available = entry.split("=")
    product_id, requested = list(takes.items())[int(place) - 1]
    return {"productId": product_id, "requested": requested, "available": max(0, int(available))}
