"""A write to an order, and how it ended: the two shapes that travel between the API, the workers and Redis."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from models.order import Change
from models.rejections import Problem

Kind = Literal["create", "update", "delete"]


class Write(NamedTuple):  # the fastest to hand from process to process
    """One accepted write. `body` is what the API validated: the whole order for a create, the changes for an update.

    `if_match` is the version that the caller had seen, where that was said. `delivery_tag` names the message that the
    write came in; with the write's end it is acknowledged.
    """

    task_id: str
    order_id: str
    kind: Kind
    body: dict[str, Any]
    accepted_at: datetime
    if_match: int | None = None
    delivery_tag: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a write ended: `created`, `updated`, `deleted`, or `rejected` with a problem; `parked` is for an operator.

    `version` is the one it made, or for which stock was refused; 0 where it came to neither.
    """

    order_id: str
    outcome: Change | Literal["rejected", "parked"]
    problem: Problem | None = None
    version: int = 0

    def as_result(self) -> dict[str, Any]:
        """Return it as the task's record holds it: the order is named, not copied."""
        return {"orderId": self.order_id, "outcome": self.outcome, "problem": self.problem}
