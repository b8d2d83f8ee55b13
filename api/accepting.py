"""A write's way from a checked request to its 202, or to the problem that says why not."""

import logging
from typing import Literal

import orjson
import redis
from flask import Response
from pymongo.errors import PyMongoError
from werkzeug import Request

from api import stores
from api.conditions import idempotency_key, wanted_versions
from api.json_body import WriteRequest
from api.problems import APIProblem, key_reused, not_found, outcome_unknown, overloaded, precondition_failed
from models.fence import is_placeholder
from models.writes import Write
from tasks import memory
from tasks.accept import Answer, Submission, accept
from tasks.records import QUEUED

LOOK_UP_TIMEOUT = 1.0
"""Seconds in which MongoDB must show the order that is to be changed; the rest of the budget is for Redis."""

_log = logging.getLogger(__name__)


def creation(write: Write, request: WriteRequest) -> Submission:
    """Return the create that this request asks for, ready to be accepted."""
    return Submission(write, exists=True, key=idempotency_key(request, write.body), instead=_full())


def accept_create(submission: Submission) -> Response:
    """Accept a new order."""
    return _accept(submission)


def accept_change(write: Write, request: Request) -> Response:
    """Accept a change or a deletion of an order that is stored, or whose create was accepted."""
    key = idempotency_key(request, write.body)
    wanted = wanted_versions(request)
    try:
        stored_version = _version_of(write.order_id)
        write = write._replace(if_match=_matching(wanted, stored_version))
    except (APIProblem, PyMongoError, stores.NotAskedError) as refusal:
        if key is None:
            raise
        # The same write may have been accepted when the order was another one: then it has its answer.
        return _accept(Submission(write, exists=False, key=key, instead="refused"), refusal)
    return _accept(Submission(write, exists=stored_version is not None, key=key, instead=_full()))


def _version_of(order_id: str) -> int | None:
    """Return the order's version as it is stored, None where it is not stored (yet)."""
    with stores.order_store(LOOK_UP_TIMEOUT) as orders:
        stored = orders.find_one({"_id": order_id}, {"deletedAt": 1, "version": 1})
    if stored is None or is_placeholder(stored):
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


def _full() -> Literal["full"] | None:
    return "full" if memory.is_full() else None


def _accept(submission: Submission, refusal: Exception | None = None) -> Response:
    try:
        with stores.task_store() as client:
            answer = accept(client, submission)
    except redis.RedisError as error:
        if refusal is not None:
            raise  # this request has changed nothing, that much is known
        raise unanswered(submission, error) from None
    return answered(submission, answer, refusal)


def unanswered(submission: Submission, error: Exception) -> APIProblem:
    """Return the problem of a write that Redis may or may not have accepted."""
    task_id = submission.write.task_id
    _log.warning("write %s may not have been accepted: %s", task_id, type(error).__name__)
    return outcome_unknown(task_id, _status_url(task_id))


def answered(submission: Submission, answer: Answer, refusal: Exception | None = None) -> Response:
    """Return the 202, or raise the problem that says why not."""
    match answer.verdict:
        case "absent":
            raise not_found(f"There is no order {submission.write.order_id}.")
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
