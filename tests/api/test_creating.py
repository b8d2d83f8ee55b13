"""New orders are answered on their connection itself (api/creating.py), as any other way would answer them."""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import parse_headers
from typing import Any

import pytest

from tests.client import Client

JSON = "Content-Type: application/json"


def request(user: str, *headers: str, version: str = "1.1", **more: Any) -> bytes:
    body = json.dumps({"userId": user, "items": [{"productId": "plenty", "quantity": 1}], **more}).encode()
    head = [f"POST /order/create HTTP/{version}", "Host: x", *headers, f"Content-Length: {len(body)}"]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


class Answers:
    """What comes on a connection: one answer behind the other, perhaps in one piece."""

    def __init__(self, connection: socket.socket) -> None:
        self._file = connection.makefile("rb")

    def next(self) -> tuple[int, dict[str, str], Any]:
        status = int(self._file.readline().split()[1])
        headers = dict(parse_headers(self._file).items())
        return status, headers, json.loads(self._file.read(int(headers["content-length"])))


@contextmanager
def connected(api: Client) -> Iterator[tuple[socket.socket, Answers]]:
    with api.connected() as connection:
        yield connection, Answers(connection)


def other_forms(sent: bytes) -> list[bytes]:
    """The same request in forms that go another way through the API."""
    head, _, body = sent.partition(b"\r\n\r\n")
    return [head + b"\r\nX-Twice: 1\r\nX-Twice: 2\r\n\r\n" + body, sent.replace(b"/create HTTP", b"/create? HTTP")]


@pytest.mark.usefixtures("product")
@pytest.mark.parametrize(
    ("headers", "more", "status"),
    [
        ([JSON], {}, 202),
        (["content-type: Application/JSON; charset=utf-8"], {}, 202),
        (["Content-Type: application/vnd.shop+json"], {}, 202),
        ([JSON, "Idempotency-Key: "], {}, 400),
        (["Content_Type: application/json"], {}, 202),
        ([JSON], {"note": 1}, 422),
        (["Content-Type: text/plain"], {}, 415),
        ([], {}, 415),
    ],
    ids=["JSON", "a charset", "a kind of JSON", "an empty key", "another spelling", "a wrong note", "text", "nothing"],
)
def test_every_way_through_the_api_gives_the_same_answer(
    api: Client, user: str, headers: list[str], more: dict[str, Any], status: int
) -> None:
    sent = request(user, *headers, **more)
    with connected(api) as (connection, answers):
        every = []
        for each in (sent, *other_forms(sent)):
            connection.sendall(each)
            every.append(answers.next())
    for found, told, body in every:
        assert found == status
        assert told.keys() == every[0][1].keys()
        assert told["content-type"] == every[0][1]["content-type"]
        assert body.keys() == every[0][2].keys()


@pytest.mark.usefixtures("product")
def test_a_key_is_the_same_key_whichever_way_it_comes(api: Client, user: str) -> None:
    sent = request(user, JSON, f"idempotency-KEY: {user}")
    with connected(api) as (connection, answers):
        accepted = []
        for each in (sent, *other_forms(sent)):
            connection.sendall(each)
            accepted.append(answers.next()[2])
    assert accepted == [accepted[0]] * 3


@pytest.mark.usefixtures("product")
def test_what_follows_a_body_in_pieces_is_no_header(api: Client, user: str) -> None:
    head, _, body = request(user, JSON, f"Idempotency-Key: {user}").partition(b"\r\n\r\n")
    chunked = re.sub(rb"Content-Length: \d+", b"Transfer-Encoding: chunked", head)
    pieces = b"%x\r\n%b\r\n0\r\nIdempotency-Key: another\r\n\r\n" % (len(body), body)
    with connected(api) as (connection, answers):
        connection.sendall(head + b"\r\n\r\n" + body)
        first = answers.next()
        connection.sendall(chunked + b"\r\n\r\n" + pieces)
        assert answers.next()[2] == first[2]


@pytest.mark.usefixtures("product")
def test_requests_sent_without_waiting_are_answered_in_their_order(api: Client, user: str) -> None:
    keys = [f"Idempotency-Key: {user}-{number}" for number in range(3)]
    with connected(api) as (connection, answers):
        first = []
        for key in keys:
            connection.sendall(request(user, JSON, key))
            first.append(answers.next()[2])
        live = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
        connection.sendall(live.join(request(user, JSON, key) for key in keys))
        bodies = [answers.next()[2] for _ in range(5)]
    assert bodies[::2] == first
    assert bodies[1::2] == [{"status": "ok"}] * 2


@pytest.mark.usefixtures("product")
@pytest.mark.parametrize(
    ("headers", "version"), [(["Connection: close"], "1.1"), ([], "1.0")], ids=["Connection: close", "HTTP/1.0"]
)
def test_who_wants_one_answer_is_told_that_the_connection_ends(
    api: Client, user: str, headers: list[str], version: str
) -> None:
    with connected(api) as (connection, answers):
        connection.sendall(request(user, JSON, *headers, version=version))
        status, told, _ = answers.next()
        assert (status, told["connection"]) == (202, "close")
        assert connection.recv(1) == b""


@pytest.mark.usefixtures("product")
def test_a_caller_who_waits_to_be_told_is_told_to_go_on(api: Client, user: str) -> None:
    head, _, body = request(user, JSON, "Expect: 100-continue").partition(b"\r\n\r\n")
    with connected(api) as (connection, answers):
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(body)
        assert answers.next()[0] == 202


@pytest.mark.usefixtures("product")
@pytest.mark.parametrize(("size", "status"), [(200_000, 422), (300_000, 413)])
def test_a_large_body_is_read_as_far_as_it_may_be_long(api: Client, user: str, size: int, status: int) -> None:
    with connected(api) as (connection, answers):
        connection.sendall(request(user, JSON, note="x" * size))
        assert answers.next()[0] == status
        connection.sendall(request(user, JSON))
        assert answers.next()[0] == 202


@pytest.mark.usefixtures("product")
def test_the_next_request_is_answered_after_a_caller_went_away(api: Client, user: str) -> None:
    for sent in (request(user, JSON)[:-5], request(user, JSON)):
        with api.connected() as gone:
            gone.sendall(sent)
    with connected(api) as (connection, answers):
        connection.sendall(request(user, JSON))
        assert answers.next()[0] == 202
