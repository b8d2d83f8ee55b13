"""A write's way from a checked request to its 202, or to the problem that says why not."""

import logging
from dataclasses import replace
from typing import Literal

import orjson
import redis
from flask import Response, request
from pymongo.errors import PyMongoError

from api import stores
from api.conditions import idempotency_key, wanted_versions
from api.problems import APIProblem, key_reused, not_found, outcome_unknown, overloaded, precondition_failed
from models.writes import Write
from tasks import memory
from tasks.accept import IdempotencyKey, accept
from tasks.records import QUEUED

LOOK_UP_TIMEOUT = 1.0
"""Seconds in which MongoDB must show the order that is to be changed; the rest of the budget is for Redis."""

_log = logging.getLogger(__name__)


def accept_create(write: Write) -> Response:
    """Accept a new order."""
    return _accept(write, idempotency_key(request, write.body), exists=True)


def accept_change(write: Write) -> Response:
    """Accept a change or a deletion of an order that is stored, or whose create was accepted."""
    key = idempotency_key(request, write.body)
    wanted = wanted_versions(request)
    try:
        stored_version = _version_of(write.order_id)
        write = replace(write, if_match=_matching(wanted, stored_version))
    except (APIProblem, PyMongoError, stores.NotAskedError) as refusal:
        if key is None:
            raise
        # The same write may have been accepted when the order was another one: then it has its answer.
        return _accept(write, key, exists=False, refusal=refusal)
    return _accept(write, key, exists=stored_version is not None)


def _version_of(order_id: str) -> int | None:
    """Return the order's version as it is stored, None where it is not stored (yet)."""
    with stores.order_store(LOOK_UP_TIMEOUT) as orders:
        stored = orders.find_one({"_id": order_id}, {"deletedAt": 1, "version": 1})
    if stored is None:
        return None
    if "deletedAt" in stored:
        raise not_found(f"There is no order {order_id}.")
    return stored["version"]


def _matching(wanted: frozenset[int] | None, stored: int | None) -> int | None:
    """Return the one version that the write may find in its turn, None where any will do."""
    if wanted is None:
        return None
    possible = wanted if stored is None else wanted & {stored}
    if not possible:
        raise precondition_failed(stored)
    return min(possible)


def _accept(write: Write, key: IdempotencyKey | None, *, exists: bool, refusal: Exception | None = None) -> Response:
    instead: Literal["refused", "full"] | None = "full" if memory.is_full() else None
    if refusal is not None:
        instead = "refused"
    try:
        with stores.task_store() as client:
            answer = accept(client, write, exists=exists, key=key, instead=instead)
    except redis.RedisError as error:
        if refusal is not None:
            raise  # this request has changed nothing, that much is known
        _log.warning("write %s may not have been accepted: %s", write.task_id, type(error).__name__)
        raise outcome_unknown(write.task_id, _status_url(write.task_id)) from None
    match answer.verdict:
        case "absent":
            raise not_found(f"There is no order {write.order_id}.")
        case "reused":
            raise key_reused()
        case "full":
            raise overloaded()
        case "refused":
            assert refusal is not None
            raise refusal
    return _accepted(answer.task_id, answer.order_id)


def _accepted(task_id: str, order_id: str) -> Response:
    body = {
        "taskId": task_id,
        "orderId": order_id,
        "state": QUEUED,
        "statusUrl": _status_url(task_id),
        "orderUrl": f"/orders/{order_id}",
    }
    response = Response(orjson.dumps(body), status=202, content_type="application/json")
    response.headers["Location"] = _status_url(task_id)
    return response


def _status_url(task_id: str) -> str:
    return f"/task/{task_id}"
