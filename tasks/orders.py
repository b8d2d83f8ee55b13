"""The tasks that write orders. Each hands its one write to `commit`, which is safe to run again."""

from datetime import datetime
from typing import Any

from celery import Task
from celery.worker.request import Request

from models.writes import Kind, Write
from tasks import app
from tasks.commit import commit, open_stores


class DiscreetRequest(Request):
    """A request that shows operators (Flower, `inspect active`) the order's id, never what the customer sent."""

    def info(self, safe: bool = False) -> Any:  # noqa: ARG002
        """Describe the request by the representation its message carries."""
        return super().info(safe=True)


class DiscreetTask(Task[Any, Any]):
    """A task whose arguments may hold addresses."""

    Request = "tasks.orders:DiscreetRequest"


class WriteTask(DiscreetTask):
    """A task that carries out one accepted write."""

    ignore_result = False

    def carry_out(
        self, kind: Kind, order_id: str, accepted_at: str, body: dict[str, Any], if_match: int | None = None
    ) -> dict[str, Any]:
        """Commit the write and return its outcome."""
        write = Write(str(self.request.id), order_id, kind, body, datetime.fromisoformat(accepted_at), if_match)
        return commit([write], open_stores())[0].as_result()


@app.task(bind=True, base=WriteTask, name="create_order")
def create_order(self: WriteTask, *, order_id: str, accepted_at: str, body: dict[str, Any]) -> dict[str, Any]:
    """Store a new order where the customer's preferences and the stock allow it."""
    return self.carry_out("create", order_id, accepted_at, body)


@app.task(bind=True, base=WriteTask, name="update_order")
def update_order(
    self: WriteTask, *, order_id: str, accepted_at: str, body: dict[str, Any], if_match: int | None = None
) -> dict[str, Any]:
    """Change an order's status, items, address, note or metadata."""
    return self.carry_out("update", order_id, accepted_at, body, if_match)


@app.task(bind=True, base=WriteTask, name="delete_order")
def delete_order(
    self: WriteTask, *, order_id: str, accepted_at: str, body: dict[str, Any], if_match: int | None = None
) -> dict[str, Any]:
    """Delete an order; a tombstone stays."""
    return self.carry_out("delete", order_id, accepted_at, body, if_match)
