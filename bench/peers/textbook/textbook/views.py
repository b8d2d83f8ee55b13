"""The HTTP API: writes become tasks, reads go to MongoDB."""

from collections.abc import Iterator
from typing import Any

from celery.result import AsyncResult
from flask import Blueprint, Response, abort, json, jsonify, request, url_for

from textbook import tasks
from textbook.order_request import OrderRequest
from textbook.orders import Order, newest_first

blueprint = Blueprint("orders", __name__)

_MAX_LIMIT = 1000


@blueprint.post("/order/create")
def create_order() -> tuple[Response, int, dict[str, str]]:
    """Validate the order and let a worker create it."""
    wanted = OrderRequest.model_validate(request.get_json())
    result = tasks.create_order.delay(wanted.model_dump(mode="json"))
    status_url = url_for("orders.show_task", task_id=result.id)
    body = {
        "taskId": result.id,
        "orderId": result.id,
        "state": "QUEUED",
        "statusUrl": status_url,
        "orderUrl": url_for("orders.show_order", order_id=result.id),
    }
    return jsonify(body), 202, {"Location": status_url}


@blueprint.get("/task/<task_id>")
def show_task(task_id: str) -> Response:
    """Show how far an accepted order is."""
    result: AsyncResult[Any] = AsyncResult(task_id)
    state = "QUEUED" if result.state == "PENDING" else result.state
    ended: dict[str, Any] = result.get() if result.successful() else {"outcome": None, "problem": None}
    order = Order.objects(id=task_id).first() if ended["outcome"] == "created" else None
    body = {"taskId": task_id, "orderId": task_id, "state": state, **ended, "order": order and order.to_dict()}
    return jsonify(body)


@blueprint.get("/order/all")
def list_all() -> Response:
    """Show all orders, newest first, or the newest `limit` of them."""
    if "limit" in request.args:
        return jsonify([order.to_dict() for order in newest_first().limit(_limit())])
    # Without a limit there may be millions.
    return Response(_json_array(newest_first().no_cache()), mimetype="application/json")


@blueprint.get("/order/<user_id>")
def list_of_user(user_id: str) -> Response:
    """Show one customer's orders, newest first, and tell the shop of them."""
    orders = [order.to_dict() for order in newest_first(user_id=user_id)]
    tasks.publish_user_orders.delay(user_id, "request")
    return jsonify(orders)


@blueprint.get("/orders/<order_id>")
def show_order(order_id: str) -> Response:
    """Show one order."""
    order = Order.objects(id=order_id).first()
    if order is None:
        abort(404)
    response = jsonify(order.to_dict())
    response.set_etag(str(order.version))
    return response


@blueprint.get("/livez")
@blueprint.get("/readyz")
def show_health() -> Response:
    """Tell that the process answers."""
    return jsonify(ready=True)


def _limit() -> int:
    text = request.args["limit"]
    if not text.isdecimal() or not 1 <= int(text) <= _MAX_LIMIT:
        abort(400)
    return int(text)


def _json_array(orders: Any) -> Iterator[str]:
    separator = "["
    for order in orders:
        yield separator + json.dumps(order.to_dict())
        separator = ","
    yield "[]" if separator == "[" else "]"
