"""The routes of orders: writes are validated and accepted here, and carried out by workers."""

import logging
from datetime import UTC, datetime
from typing import Any

import orjson
import pymongo
import redis
from flask import Blueprint, Response, request

from api.bodies import parse_create, parse_update
from api.json_body import read_json
from api.problems import not_found, outcome_unknown, overloaded
from api.reading import list_response, selection_from_query
from models.connections import orders, redis_client
from models.ids import new_id
from models.representations import PROJECTION, order_json, timeline_json
from models.writes import Kind, Write
from settings import settings
from tasks.accept import accept
from tasks.enqueue import enqueue, user_orders_job
from tasks.records import QUEUED

MONGO_TIMEOUT = 1.8
REDIS_TIMEOUT = 1.0
EXISTENCE_TIMEOUT = 1.0
"""Seconds; whatever hangs, a caller has an answer within 2.5.

While it looks for a server, PyMongo sees only every 0.5 s that its time is up.
"""

blueprint = Blueprint("orders", __name__)
_log = logging.getLogger(__name__)


@blueprint.post("/order/create")
def create() -> Response:
    """Accept a new order."""
    now_ms = _now_ms()
    order_id = new_id(now_ms)
    body = parse_create(read_json(request), settings().currency)
    return _accept(Write(order_id, order_id, "create", body, _moment(now_ms)), exists=True)


@blueprint.put("/order/<id:order_id>")
def update(order_id: str) -> Response:
    """Accept changes to an order."""
    return _change(order_id, "update", parse_update(read_json(request)))


@blueprint.delete("/order/<id:order_id>")
def delete(order_id: str) -> Response:
    """Accept the deletion of an order."""
    return _change(order_id, "delete", {})


@blueprint.get("/order/all")
def list_all() -> Response:
    """List all orders."""
    return list_response(orders(MONGO_TIMEOUT), selection_from_query())


@blueprint.get("/order/<id:user_id>")
def list_of_user(user_id: str) -> Response:
    """List a user's orders, and have them published to `user_orders`."""
    selection = selection_from_query(user_id)
    response = list_response(orders(MONGO_TIMEOUT), selection)
    if selection.after is None:  # further pages are the same request, asked for once
        try:
            enqueue(redis_client(REDIS_TIMEOUT), [user_orders_job(user_id, "request", new_id())])
        except redis.RedisError as error:
            _log.warning("user_orders is not published: %s", type(error).__name__)
    return response


@blueprint.get("/orders/<id:order_id>")
def show(order_id: str) -> Response:
    """Show one order with its timeline."""
    order = orders(MONGO_TIMEOUT).find_one({"_id": order_id, "deletedAt": None}, PROJECTION | {"timeline": 1})
    if order is None:
        raise not_found(f"There is no order {order_id}.")
    shown = order_json(order) | {"timeline": timeline_json(order)}
    response = Response(orjson.dumps(shown), content_type="application/json")
    response.set_etag(str(order["version"]))
    response.make_conditional(request)
    return response


def _change(order_id: str, kind: Kind, body: dict[str, Any]) -> Response:
    with pymongo.timeout(EXISTENCE_TIMEOUT):
        stored = orders(MONGO_TIMEOUT).find_one({"_id": order_id}, {"deletedAt": 1})
    if stored is not None and "deletedAt" in stored:
        raise not_found(f"There is no order {order_id}.")
    now_ms = _now_ms()
    return _accept(Write(new_id(now_ms), order_id, kind, body, _moment(now_ms)), exists=stored is not None)


def _accept(write: Write, *, exists: bool) -> Response:
    status_url, order_url = f"/task/{write.task_id}", f"/orders/{write.order_id}"
    try:
        accepted = accept(redis_client(REDIS_TIMEOUT), write, exists=exists)
    except redis.OutOfMemoryError:
        raise overloaded() from None
    except redis.RedisError as error:
        _log.warning("write %s may not have been accepted: %s", write.task_id, type(error).__name__)
        raise outcome_unknown(write.task_id, status_url) from None
    if not accepted:
        raise not_found(f"There is no order {write.order_id}.")
    body = {
        "taskId": write.task_id,
        "orderId": write.order_id,
        "state": QUEUED,
        "statusUrl": status_url,
        "orderUrl": order_url,
    }
    response = Response(orjson.dumps(body), status=202, content_type="application/json")
    response.headers["Location"] = status_url
    return response


def _now_ms() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
