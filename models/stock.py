"""Stock: how many units can be ordered now, moved by orders and set by the product service's levels.

`product:{productId}:stock` is a plain integer that any program may read. Each movement is one Lua script, keyed
`(orderId, version)`: all products or none, and once, however often the task that asked for it runs.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import redis

from models import rejections
from models.rejections import Problem

_HERE = Path(__file__).parent
_MOVE, _UNDO, _SET = ((_HERE / f"{name}.lua").read_text() for name in ("move_stock", "undo_move", "set_level"))


def stock_key(product_id: str) -> str:
    """Return the key of the units that can be ordered now."""
    return f"product:{product_id}:stock"


def decision_key(order_id: str, version: int) -> str:
    """Return the key of what was decided about the stock of one transition."""
    return f"order:{order_id}:{version}:stock"


@dataclass(frozen=True, slots=True)
class Level:
    """A product's stock as the product service counted it; `units` is None where the product is removed.

    Levels are ordered by `version`, else by `at` (milliseconds since 1970); `offset` only breaks ties within `source`.
    """

    product_id: str
    units: int | None
    version: int | None
    at: int
    source: str
    offset: int


@dataclass(frozen=True, slots=True)
class Movement:
    """What one transition takes from stock (units by product; negative: gives back).

    `forbid` refuses it, unless it was decided before.
    """

    order_id: str
    version: int
    task_id: str
    takes: dict[str, int]
    forbid: Problem | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about a transition's stock, and for which task."""

    problem: Problem | None
    task_id: str


class Stock:
    """The stock in one Redis."""

    def __init__(self, client: "redis.Redis") -> None:
        self._move = client.register_script(_MOVE)
        self._undo = client.register_script(_UNDO)
        self._set = client.register_script(_SET)

    def move(self, movements: Sequence[Movement]) -> list[Decision]:
        """Take (or give back) the units of each transition, or say why not."""
        return [self._move_one(each) for each in movements]

    def _move_one(self, movement: Movement) -> Decision:
        takes = movement.takes
        keys = [decision_key(movement.order_id, movement.version), *map(stock_key, takes)]
        refusal = rejections.encode(movement.forbid) if movement.forbid else ""
        verdict, detail, decided_for = cast(
            "tuple[Literal['moved', 'forbidden', 'unknown', 'short'], str, str]",
            self._move(keys=keys, args=[movement.task_id, refusal, json.dumps(takes), *takes.values()]),
        )
        problem: Problem | None = None
        if verdict == "forbidden":
            problem = rejections.decode(detail)
        elif verdict == "unknown":
            products = list(takes)
            problem = rejections.unknown_product([products[int(place) - 1] for place in detail.split(",")])
        elif verdict == "short":
            problem = rejections.insufficient_stock([_shortage(takes, entry) for entry in detail.split(",")])
        return Decision(problem, decided_for)

    def undo(self, order_id: str, version: int, task_id: str) -> None:
        """Take back a movement of this task whose transition will not be stored."""
        self._undo(keys=[decision_key(order_id, version)], args=[task_id])

    def set_level(self, level: Level) -> bool:
        """Store the level; return False where something newer is known."""
        keys = [stock_key(level.product_id), f"product:{level.product_id}:level"]
        args = [
            "" if level.units is None else level.units,
            "" if level.version is None else level.version,
            level.at,
            level.source,
            level.offset,
        ]
        return bool(self._set(keys=keys, args=args))


def _shortage(takes: dict[str, int], entry: str) -> rejections.Shortage:
    place, available = entry.split("=")
    product_id, requested = list(takes.items())[int(place) - 1]
    return {"productId": product_id, "requested": requested, "available": max(0, int(available))}
