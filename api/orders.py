"""The routes of orders: writes are validated and accepted here, and carried out by workers."""

from datetime import UTC, datetime
from typing import Any

import orjson
import redis
from flask import Blueprint, Response, request

from api import stores
from api.accepting import accept_change, accept_create, creation
from api.bodies import parse_create, parse_update
from api.json_body import WriteRequest, read_json
from api.problems import not_found
from api.publishing import PUBLISH_TIMEOUT, not_published
from api.reading import list_response, selection_from_query
from models.ids import new_id
from models.representations import one_shown
from models.writes import Kind, Write
from settings import settings
from tasks.accept import Submission
from tasks.enqueue import enqueue, user_orders_job

blueprint = Blueprint("orders", __name__)


@blueprint.post("/order/create")
def create() -> Response:
    """Accept a new order."""
    return accept_create(new_order(request))


@blueprint.put("/order/<id:order_id>")
def update(order_id: str) -> Response:
    """Accept changes to an order."""
    return accept_change(_change(order_id, "update", parse_update(read_json(request))), request)


@blueprint.delete("/order/<id:order_id>")
def delete(order_id: str) -> Response:
    """Accept the deletion of an order."""
    return accept_change(_change(order_id, "delete", {}), request)


@blueprint.get("/order/all")
def list_all() -> Response:
    """List all orders."""
    selection = selection_from_query()
    with stores.order_store() as orders:
        return list_response(orders, selection)


@blueprint.get("/order/<id:user_id>")
def list_of_user(user_id: str) -> Response:
    """List a user's orders, and have them published to `user_orders`."""
    selection = selection_from_query(user_id)
    with stores.order_store() as orders:
        response = list_response(orders, selection)
    if selection.after is None:  # further pages are the same request, asked for once
        try:
            with stores.task_store(PUBLISH_TIMEOUT) as client:
                enqueue(client, [user_orders_job(user_id, "request", new_id())])
        except (redis.RedisError, stores.NotAskedError) as error:
            not_published(error)
    return response


@blueprint.get("/orders/<id:order_id>")
def show(order_id: str) -> Response:
    """Show one order with its timeline."""
    with stores.order_store() as orders:
        order = one_shown(orders, order_id, with_timeline=True)
    if order is None:
        raise not_found(f"There is no order {order_id}.")
    response = Response(orjson.dumps(order), content_type="application/json")
    response.set_etag(str(order["version"]))
    response.make_conditional(request)
    return response


def new_order(request: WriteRequest) -> Submission:
    """Return the new order that a request asks for, checked; Flask's view and api/creating.py both begin with it."""
    now_ms = _now_ms()
    order_id = new_id(now_ms)
    body = parse_create(read_json(request), settings().currency)
    return creation(Write(order_id, order_id, "create", body, _moment(now_ms)), request)


def _change(order_id: str, kind: Kind, body: dict[str, Any]) -> Write:
    now_ms = _now_ms()
    return Write(new_id(now_ms), order_id, kind, body, _moment(now_ms))


def _now_ms() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
