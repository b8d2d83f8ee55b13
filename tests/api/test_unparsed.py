"""Bytes that are no request: gunicorn answers them before the application sees anything."""

import json

import pytest

from tests.client import Client

HOST = b"Host: localhost\r\n"


@pytest.mark.parametrize(
    ("sent", "status", "kind"),
    [
        (b"nonsense\r\n\r\n", 400, "malformed"),
        (b"GET /livez HTTP/1.1\r\nno colon secret\r\n\r\n", 400, "malformed"),
        (b"GET /order/all?cursor=" + b"x" * 9_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414, "uri-too-long"),
        (b"GET /livez HTTP/1.1\r\n" + HOST + b"X-Long: " + b"x" * 20_000 + b"\r\n\r\n", 431, "headers-too-large"),
    ],
    ids=["no request line", "no header", "a long URI", "a long header"],
)
def test_what_can_t_be_parsed_is_answered_with_a_problem(api: Client, sent: bytes, status: int, kind: str) -> None:
    with api.connected() as connection:
        connection.sendall(sent)
        raw = b""
        while piece := connection.recv(65_536):
            raw += piece

    head, _, body = raw.decode().partition("\r\n\r\n")
    problem = json.loads(body)
    assert head.startswith(f"HTTP/1.1 {status} ")
    assert "content-type: application/problem+json" in head.lower()
    assert (problem["type"], problem["status"]) == (kind, status)
    assert "secret" not in body
