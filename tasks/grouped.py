"""Tasks as our workers hold them: shown to operators by an id alone, and where that pays run in groups.

A group goes to a process of the pool as one call (tasks/batches.py); each of its tasks keeps its own request.
"""

from collections.abc import Callable, Sequence
from typing import Any

from celery import Task
from celery.worker.request import Request

Together = Callable[[Sequence[Any], bool], tuple[list[str], float]]
"""Carries out a group in a process of the pool; a redelivered task comes by itself, and the second argument says so.

It returns how each ended, "parked" where it was put aside, and how long it took (s). Their messages are acknowledged by
then.
"""

MAX_STARTS = 3
"""At the third start of a redelivered task it is parked: whatever it does to workers, it did it twice alone."""


class DiscreetRequest(Request):
    """A request that shows operators (Flower, `inspect active`) an id, never what the customer sent."""

    def info(self, safe: bool = False) -> Any:  # noqa: ARG002
        """Describe the request by the representation its message carries."""
        return super().info(safe=True)


class DiscreetTask(Task[Any, Any]):
    """A task whose arguments may hold addresses."""

    Request = "tasks.grouped:DiscreetRequest"


class GroupedRequest(DiscreetRequest):
    """A task in a worker's hands that runs in a group with others."""

    part: Any

    def as_part(self) -> Any:
        """Return what a process of the pool is given of it; it raises where the message lacks what the task needs."""
        raise NotImplementedError

    def terminate(self, pool: Any, signal: Any = None) -> None:
        """Let it end: killing its process would end a group of others too, and it takes milliseconds."""

    def cancel(self, pool: Any, signal: Any = None, emit_retry: bool = True) -> None:
        """Let it end, or be cut off with the pool: what is not acknowledged runs again elsewhere."""


class GroupedTask(DiscreetTask):
    """A task that runs together with those of its kind."""

    Strategy = "tasks.batches:strategy"
    together: Together
