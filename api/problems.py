"""Errors as RFC 9457 problems: every error answer is `application/problem+json` with a `type` of ours.

https://www.rfc-editor.org/rfc/rfc9457
"""

import logging
from typing import Any

import orjson
import redis
from flask import Flask, Response, request
from pymongo.errors import PyMongoError
from werkzeug.exceptions import HTTPException

from api.stores import NotAskedError

PROBLEM_JSON = "application/problem+json"
RETRY_AFTER = 2
"""Seconds after which a client that got a 503 may ask again."""

_BY_STATUS = {
    400: ("malformed", "Malformed request"),
    404: ("not-found", "Not found"),
    405: ("method-not-allowed", "Method not allowed"),
    413: ("too-large", "Too large"),
    414: ("uri-too-long", "URI too long"),
    415: ("unsupported-media-type", "Unsupported media type"),
    431: ("headers-too-large", "Headers too large"),
}

_log = logging.getLogger(__name__)


class APIProblem(Exception):  # noqa: N818 - the standard's word
    """A request that is answered with a problem."""

    def __init__(self, kind: str, title: str, status: int, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.body = {"type": kind, "title": title, "status": status, "detail": detail, **more}


def malformed(detail: str) -> APIProblem:
    """Tell that the request can't be read."""
    return APIProblem("malformed", "Malformed request", 400, detail)


def not_found(detail: str) -> APIProblem:
    """Tell that there is no such thing."""
    return APIProblem("not-found", "Not found", 404, detail)


def invalid(errors: list[dict[str, str]]) -> APIProblem:
    """Tell what is wrong with a body that is valid JSON; each error has a JSON `pointer` (RFC 6901) and a `detail`."""
    return APIProblem("invalid", "Invalid order", 422, "The body is JSON, but no valid order.", errors=errors)


def unavailable(detail: str) -> APIProblem:
    """Tell that a server we need is away, and that nothing was changed."""
    return APIProblem("unavailable", "Unavailable", 503, detail)


def outcome_unknown(task_id: str, status_url: str) -> APIProblem:
    """Tell that a write may or may not have been accepted, and where to ask."""
    detail = "Whether this write was accepted is not known. Ask for its status before sending it again."
    return APIProblem("outcome-unknown", "Outcome unknown", 503, detail, taskId=task_id, statusUrl=status_url)


def key_reused() -> APIProblem:
    """Tell that an Idempotency-Key belongs to another write."""
    detail = "This Idempotency-Key was given before, with another body."
    return APIProblem("idempotency-key-reused", "Idempotency-Key reused", 422, detail)


def precondition_failed(version: int | None) -> APIProblem:
    """Tell that the order is not the one that If-Match names; `version` is the stored one."""
    detail = "The order has no version that If-Match names" + ("." if version is None else f"; it is at {version}.")
    return APIProblem("precondition-failed", "Precondition failed", 412, detail)


def overloaded() -> APIProblem:
    """Tell that nothing was accepted, because too much is waiting or Redis' memory is nearly full."""
    return APIProblem("overloaded", "Overloaded", 503, "Too much work is waiting; nothing was accepted.")


def problem_of_status(status: int, name: str, detail: str | None) -> dict[str, Any]:
    """Return the problem for an error that HTTP itself names."""
    kind, title = _BY_STATUS.get(status, ("http-error", name))
    return {"type": kind, "title": title, "status": status, "detail": detail or title}


def problem_response(body: dict[str, Any]) -> Response:
    """Return the answer for a problem."""
    response = Response(orjson.dumps(body), status=body["status"], content_type=PROBLEM_JSON)
    if body["status"] == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER)
    return response


def answer_with_problems(app: Flask) -> None:
    """Have the application answer every error with a problem, and none with a traceback or HTML."""

    @app.errorhandler(Exception)
    def _problem(error: Exception) -> Response:
        return response_to(error, f"{request.method} {request.path}")


def response_to(error: Exception, asked: str) -> Response:
    """Return the answer for an error; `asked` (method and path: ids only, never a body or a query) is for the log."""
    match error:
        case APIProblem():
            return problem_response(error.body)
        case PyMongoError():
            _log.warning("MongoDB: %s", type(error).__name__)
            return problem_response(unavailable("The order store does not answer.").body)
        case redis.RedisError():
            _log.warning("Redis: %s", type(error).__name__)
            return problem_response(unavailable("The task store does not answer.").body)
        case NotAskedError():
            _log.warning("%s hangs, or left no time: not asked", error)
            return problem_response(unavailable(f"{error} does not answer.").body)
        case HTTPException():
            response = problem_response(problem_of_status(error.code or 500, error.name, error.description))
            if allowed := getattr(error, "valid_methods", None):
                response.headers["Allow"] = ", ".join(sorted(allowed))
            return response
    _log.error("%s broke", asked, exc_info=error)
    return problem_response(
        {"type": "failed", "title": "Internal error", "status": 500, "detail": "The service failed."}
    )
