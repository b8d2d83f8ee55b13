"""A user's orders are answered on their connection itself (api/listing.py), as any other way would answer them."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.api.archive import stored_order, tombstone
from tests.client import Client
from tests.processes import Servers, Service, service

MANY = 1200
"""More than are read at a time, so that they are sent in parts."""


@pytest.fixture(scope="module")
def own(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An API on a database of its own; what it enqueues stays in its queue."""
    mine = Servers(servers.redis_server, servers.mongod, servers.kafka, database="listing", redis_db=10)
    mine.orders().insert_many([stored_order(number, userId="few") for number in range(3)])
    mine.orders().insert_one(tombstone(9) | {"userId": "few"})
    mine.orders().insert_many([stored_order(number, userId="many") for number in range(MANY)])
    with service(mine, tmp_path_factory.mktemp("listing")) as running:
        running.api()
        yield running


@contextmanager
def connected(own: Service) -> Iterator[socket.socket]:
    with Client(own.url).connected() as connection:
        yield connection


def request(path: str, *headers: str, version: str = "1.1", method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/{version}", "Host: x", *headers, "", ""]).encode()


def answer(connection: socket.socket, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    """Read one answer, however its body comes; no other may be behind it."""
    found = HTTPResponse(connection, method=method)
    found.begin()
    body = found.read()
    return found.status, {name.lower(): value for name, value in found.getheaders()}, body


def asked_for(own: Service) -> list[str]:
    """Return the users whose orders are to be published, and forget them."""
    queue = own.servers.redis_client()
    messages: list[Any] = queue.lrange("publish", 0, -1)
    queue.delete("publish")
    return [orjson.loads(message)["headers"]["subject"] for message in messages]


@pytest.mark.parametrize(
    ("user", "count"), [("few", 3), ("nobody", 0), ("many", MANY), ("a.b:c_d-E", 0)], ids=["few", "none", "many", "id"]
)
def test_every_way_through_the_api_gives_the_same_answer(own: Service, user: str, count: int) -> None:
    asked_for(own)
    forms = [
        request(f"/order/{user}"),
        request(f"/order/{user}?"),
        request(f"/order/{user}", "X-Twice: 1", "X-Twice: 2"),
        request(f"/order/{user}", "Content-Length: 2") + b"{}",
    ]
    with connected(own) as connection:
        every = []
        for form in forms:
            connection.sendall(form)
            every.append(answer(connection))
    assert len(orjson.loads(every[0][2])) == count
    assert every == [every[0]] * len(forms)
    assert (every[0][0], "transfer-encoding" in every[0][1]) == (200, count == MANY)
    assert asked_for(own) == [user] * len(forms)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/order/all", 200),
        ("/order/create", 405),
        ("/order/a%20b", 404),
        ("/order/few/", 404),
        (f"/order/{'x' * 65}", 404),
    ],
)
def test_what_is_no_user_s_id_asks_for_nobody_s_orders(own: Service, path: str, status: int) -> None:
    asked_for(own)
    with connected(own) as connection:
        connection.sendall(request(path))
        assert answer(connection)[0] == status
    assert asked_for(own) == []


def test_only_the_head_is_answered_where_only_that_is_asked_for(own: Service) -> None:
    with connected(own) as connection:
        connection.sendall(request("/order/few", method="HEAD"))
        assert answer(connection, "HEAD")[2] == b""
        connection.sendall(request("/order/few"))
        assert len(orjson.loads(answer(connection)[2])) == 3


@pytest.mark.parametrize(
    ("headers", "version"), [(["Connection: close"], "1.1"), ([], "1.0")], ids=["Connection: close", "HTTP/1.0"]
)
@pytest.mark.parametrize("user", ["few", "many"])
def test_who_wants_one_answer_is_told_that_the_connection_ends(
    own: Service, user: str, headers: list[str], version: str
) -> None:
    with connected(own) as connection:
        connection.sendall(request(f"/order/{user}", *headers, version=version))
        status, told, _ = answer(connection)
        assert (status, told["connection"]) == (200, "close")
        assert connection.recv(1) == b""


def test_requests_sent_without_waiting_are_answered_in_their_order(own: Service) -> None:
    asked = [request(f"/order/{user}") for user in ("few", "many", "nobody")]
    with connected(own) as connection:
        connection.sendall(b"".join(asked) + request("/order/few", "Connection: close"))
        received = b""
        while piece := connection.recv(1_000_000):
            received += piece
    heads = [part.partition(b"\r\n\r\n") for part in received.split(b"HTTP/1.1 ")[1:]]
    assert [head.split()[0] for head, _, _ in heads] == [b"200"] * 4
    assert heads[0][2] == heads[3][2]
    assert orjson.loads(heads[2][2]) == []


def test_the_next_request_is_answered_after_a_caller_went_away(own: Service) -> None:
    for user in ("few", "many"):
        with connected(own) as gone:
            gone.sendall(request(f"/order/{user}"))
    with connected(own) as connection:
        connection.sendall(request("/order/few"))
        assert answer(connection)[0] == 200
    assert "Traceback" not in Path(own.children["api"].log).read_text()
