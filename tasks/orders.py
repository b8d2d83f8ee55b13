"""The tasks that write orders: what waits together is committed together (tasks/batches.py), and safe to run again."""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from celery import Task
from celery.worker.request import Request

from models.writes import Kind, Outcome, Write
from tasks import app
from tasks.commit import commit, open_stores, start_again


class DiscreetRequest(Request):
    """A request that shows operators (Flower, `inspect active`) the order's id, never what the customer sent."""

    def info(self, safe: bool = False) -> Any:  # noqa: ARG002
        """Describe the request by the representation its message carries."""
        return super().info(safe=True)


class DiscreetTask(Task[Any, Any]):
    """A task whose arguments may hold addresses."""

    Request = "tasks.orders:DiscreetRequest"


class WriteRequest(DiscreetRequest):
    """A write in a worker's hands, alone or in a group with others."""

    write: Write

    def terminate(self, pool: Any, signal: Any = None) -> None:
        """Let it end: killing its process would end a group of others too, and it takes milliseconds."""

    def cancel(self, pool: Any, signal: Any = None, emit_retry: bool = True) -> None:
        """Let it end, or be cut off with the pool: what is not acknowledged runs again elsewhere."""

    def as_write(self) -> Write:
        """Return the write that the message carries."""
        told = self.kwargs
        return Write(
            task_id=self.id,
            order_id=told["order_id"],
            kind=KINDS[self.name],
            body=told["body"],
            accepted_at=datetime.fromisoformat(told["accepted_at"]),
            if_match=told.get("if_match"),
            delivery_tag=self.message.delivery_tag,
        )


class WriteTask(DiscreetTask):
    """A task that carries out one accepted write."""

    ignore_result = False
    Strategy = "tasks.batches:strategy"
    Request = "tasks.orders:WriteRequest"

    def carry_out(self, order_id: str, accepted_at: str, body: dict[str, Any], if_match: int | None) -> dict[str, Any]:
        """Commit the write by itself and return its outcome. Workers use `commit_batch`."""
        moment = datetime.fromisoformat(accepted_at)
        write = Write(str(self.request.id), order_id, KINDS[str(self.name)], body, moment, if_match)
        return commit([write], open_stores())[0].as_result()


KINDS: dict[str, Kind] = {"create_order": "create", "update_order": "update", "delete_order": "delete"}


def commit_batch(writes: Sequence[Write], redelivered: bool) -> tuple[list[Outcome], float]:
    """Carry out a batch in a process of the pool; return its outcomes and how long it took (s).

    A redelivered write comes by itself.
    """
    started = time.monotonic()
    stores = open_stores()
    outcomes = [start_again(write, stores) for write in writes] if redelivered else commit(writes, stores)
    return outcomes, time.monotonic() - started


@app.task(bind=True, base=WriteTask, name="create_order")
def create_order(
    self: WriteTask, *, order_id: str, accepted_at: str, body: dict[str, Any], if_match: int | None = None
) -> dict[str, Any]:
    """Store a new order where the customer's preferences and the stock allow it."""
    return self.carry_out(order_id, accepted_at, body, if_match)


@app.task(bind=True, base=WriteTask, name="update_order")
def update_order(
    self: WriteTask, *, order_id: str, accepted_at: str, body: dict[str, Any], if_match: int | None = None
) -> dict[str, Any]:
    """Change an order's status, items, address, note or metadata."""
    return self.carry_out(order_id, accepted_at, body, if_match)


@app.task(bind=True, base=WriteTask, name="delete_order")
def delete_order(
    self: WriteTask, *, order_id: str, accepted_at: str, body: dict[str, Any], if_match: int | None = None
) -> dict[str, Any]:
    """Delete an order; a tombstone stays."""
    return self.carry_out(order_id, accepted_at, body, if_match)
