"""Errors as RFC 9457 problems: what Flask answers where a request can't be served."""

from typing import Any

from flask import Flask, Response, json
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from werkzeug.exceptions import HTTPException

_TITLES = {
    "notifications-off": "The customer wants no notifications",
    "unknown-product": "There is no such product",
    "insufficient-stock": "There is not enough stock",
}


def rejection(kind: str, **members: Any) -> dict[str, Any]:
    """Return the problem of an order that was refused when its turn came."""
    return {"type": kind, "title": _TITLES[kind], "status": 409, **members}


def _answer(problem: dict[str, Any]) -> Response:
    return Response(json.dumps(problem), status=problem["status"], mimetype="application/problem+json")


def _http_problem(error: HTTPException) -> Response:
    return _answer({"type": error.name.lower().replace(" ", "-"), "title": error.name, "status": error.code})


def _pointer(error: ErrorDetails) -> str:
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in error["loc"])


def _invalid_order(error: ValidationError) -> Response:
    errors = [
        {"pointer": _pointer(entry), "detail": entry["msg"]}
        for entry in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return _answer({"type": "invalid-order", "title": "The order is not valid", "status": 422, "errors": errors})


def register(app: Flask) -> None:
    """Let the app answer its errors as problems."""
    app.register_error_handler(HTTPException, _http_problem)
    app.register_error_handler(ValidationError, _invalid_order)
