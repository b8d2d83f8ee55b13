"""Problems for what never becomes a request: bytes that gunicorn can't parse, which it would answer with HTML."""

import socket
from http import HTTPStatus

import gunicorn.util
import orjson

from api.problems import PROBLEM_JSON, problem_of_status


def answer_with_problems() -> None:
    """Have this process's gunicorn answer with a problem; it calls the function by this name in its module."""
    gunicorn.util.write_error = _write_problem


def _write_problem(client: socket.socket, status: int, _reason: str, _message: str) -> None:
    # gunicorn's message quotes what was sent: that stays out of the answer.
    phrase = HTTPStatus(status).phrase
    body = orjson.dumps(problem_of_status(status, phrase, "The request can't be parsed."))
    head = f"HTTP/1.1 {status} {phrase}\r\nConnection: close\r\nContent-Type: {PROBLEM_JSON}\r\n"
    gunicorn.util.write_nonblock(client, f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
