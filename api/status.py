"""The route that tells how an accepted write is doing."""

import orjson
from celery import states
from flask import Blueprint, Response

from api import stores
from api.problems import not_found
from models.representations import ShownOrder, one_shown
from tasks.records import Records

blueprint = Blueprint("status", __name__)


@blueprint.get("/task/<id:task_id>")
def show(task_id: str) -> Response:
    """Show the state of an accepted write; the order itself is read from MongoDB, as it is now."""
    with stores.task_store() as client:
        record = Records(client).find(task_id)
    if record is None or "order_id" not in record:
        raise not_found(f"No write {task_id} was accepted, or it ended more than a day ago.")
    result = record["result"] if record["status"] == states.SUCCESS else {}
    outcome, problem = result.get("outcome"), result.get("problem") or record.get("problem")
    body = {
        "taskId": task_id,
        "orderId": record["order_id"],
        "state": record["status"],
        "outcome": outcome,
        "order": _order(record["order_id"]) if outcome in {"created", "updated"} else None,
        "problem": problem,
        "acceptedAt": record["accepted_at"],
        "endedAt": record["date_done"],
    }
    return Response(orjson.dumps(body), content_type="application/json")


def _order(order_id: str) -> ShownOrder | None:
    with stores.order_store() as orders:
        return one_shown(orders, order_id)
