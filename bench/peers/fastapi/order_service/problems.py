"""Errors as RFC 9457 problems: what a route raises, and how FastAPI answers it."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException


class ProblemError(Exception):
    """What a client is told instead of an answer."""

    def __init__(self, status: int, kind: str, title: str, **members: Any) -> None:
        super().__init__(title)
        self.status = status
        self.body = {"type": kind, "title": title, "status": status, **members}


class ProblemResponse(JSONResponse):
    """A problem as JSON."""

    media_type = "application/problem+json"


def _answer(problem: ProblemError) -> ProblemResponse:
    return ProblemResponse(problem.body, problem.status)


async def _problem(_: Request, error: ProblemError) -> ProblemResponse:
    return _answer(error)


async def _http_problem(_: Request, error: HTTPException) -> ProblemResponse:
    phrase = HTTPStatus(error.status_code).phrase
    body = ProblemError(error.status_code, phrase.lower().replace(" ", "-"), phrase).body
    return ProblemResponse(body, error.status_code, error.headers)


async def _wrong_request(_: Request, error: RequestValidationError) -> ProblemResponse:
    errors = error.errors()
    if any(entry["type"] == "json_invalid" for entry in errors):
        return _answer(ProblemError(400, "malformed", "The body is not JSON"))
    place = errors[0]["loc"][0]
    told = [{"pointer": _pointer(entry["loc"][1:]), "detail": entry["msg"]} for entry in errors]
    if place == "query":
        return _answer(ProblemError(400, "malformed", "A query parameter is wrong", errors=told))
    return _answer(ProblemError(422, "invalid-order", "The order is not valid", errors=told))


async def _broken(_: Request, __: Exception) -> ProblemResponse:
    # The server logs the exception, which is raised on behind this answer.
    return _answer(ProblemError(500, "internal", "Something broke"))


def _pointer(location: Sequence[str | int]) -> str:
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in location)


def register(app: FastAPI) -> None:
    """Let the app answer its errors as problems."""
    app.add_exception_handler(ProblemError, _problem)
    app.add_exception_handler(HTTPException, _http_problem)
    app.add_exception_handler(RequestValidationError, _wrong_request)
    app.add_exception_handler(Exception, _broken)
