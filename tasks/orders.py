"""The tasks that write orders: what waits together is committed together (tasks/batches.py), and safe to run again."""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from models.writes import Kind, Write
from tasks import app
from tasks.commit import commit, start_again
from tasks.grouped import GroupedRequest, GroupedTask
from tasks.stores import open_stores


class WriteRequest(GroupedRequest):
    """A write in a worker's hands."""

    def as_part(self) -> Write:
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


def commit_batch(writes: Sequence[Write], redelivered: bool) -> tuple[list[str], float]:
    """Carry out a batch in a process of the pool; see `Together`."""
    started = time.monotonic()
    stores = open_stores()
    outcomes = [start_again(write, stores) for write in writes] if redelivered else commit(writes, stores)
    return [outcome.outcome for outcome in outcomes], time.monotonic() - started


class WriteTask(GroupedTask):
    """A task that carries out one accepted write."""

    ignore_result = False
    Request = "tasks.orders:WriteRequest"
    together = staticmethod(commit_batch)

    def carry_out(self, order_id: str, accepted_at: str, body: dict[str, Any], if_match: int | None) -> dict[str, Any]:
        """Commit the write by itself and return its outcome. Workers use `commit_batch`."""
        moment = datetime.fromisoformat(accepted_at)
        write = Write(str(self.request.id), order_id, KINDS[str(self.name)], body, moment, if_match)
        return commit([write], open_stores())[0].as_result()


KINDS: dict[str, Kind] = {"create_order": "create", "update_order": "update", "delete_order": "delete"}


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
