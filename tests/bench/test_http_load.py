"""The load generator against a server of a few lines: what it sends, what it counts, and from when."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle, islice, pairwise

import pytest

from bench.http_load import LOST, closed_loop, open_loop, parse
from bench.order_requests import PRODUCTS, creates, get, order_id, orders_in, refusals


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stall = 0.0

    def do_GET(self) -> None:
        if self.path == "/gone":
            self.close_connection = True
            return
        if self.path == "/stall":
            time.sleep(self.stall)
        body = self.path.encode()
        self.send_response(503 if self.path == "/no" else 200)
        if self.path == "/chunked":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"3\r\n/ch\r\n5\r\nunked\r\n0\r\n\r\n")
            return
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002
        pass


@contextmanager
def server(stall: float = 0.0) -> Iterator[int]:
    handler = type("Handler", (Echo,), {"stall": stall})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield listening.server_address[1]
        listening.shutdown()


@pytest.mark.parametrize(
    ("data", "parsed"),
    [
        (b"HTTP/1.1 202 ACCEPTED\r\nContent-Length: 2\r\n\r\nok", (202, 44)),
        (b"HTTP/1.1 202 ACCEPTED\r\ncontent-length:2\r\n\r\no", None),
        (b"HTTP/1.1 202 ACCEPTED\r\nContent-Len", None),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", None),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", (200, 47)),
        (b"HTTP/1.1 204 NO CONTENT\r\n\r\n", (204, 27)),
    ],
)
def test_an_answer_is_whole_when_all_of_it_is_there(data: bytes, parsed: tuple[int, int] | None) -> None:
    assert parse(data) == parsed


def test_a_closed_loop_sends_as_many_as_asked_for_and_keeps_each_answer() -> None:
    with server() as port:
        load = closed_loop(port, cycle([get("/a"), get("/no"), get("/chunked")]), 4, count=30)
    assert len(load.answers) == 30
    assert sorted({(answer.status, answer.body.count(b"/")) for answer in load.answers}) == [(200, 1), (503, 1)]
    assert refusals(load) == {503: 10}
    assert load.ended >= max(answer.at for answer in load.answers) - 0.001


def test_a_connection_that_ends_before_its_answer_is_counted_as_lost() -> None:
    with server() as port:
        load = closed_loop(port, cycle([get("/gone")]), 2, count=10)
    assert [answer.status for answer in load.answers] == [LOST, LOST]


def test_what_is_kept_of_a_body_can_be_chosen() -> None:
    with server() as port:
        load = closed_loop(port, cycle([get("/abc")]), 1, count=3, keep=lambda body: b"%d" % len(body))
    assert [answer.body for answer in load.answers] == [b"4"] * 3


def test_an_open_loop_counts_from_when_a_request_was_due_though_an_earlier_one_stalls() -> None:
    requests = iter([get("/stall"), *[get("/a")] * 9])
    with server(stall=0.5) as port:
        load = open_loop(port, requests, rate=100, seconds=0.1, connections=1)
    assert len(load.answers) == 10
    dues = [answer.due for answer in load.answers]
    assert all(0.009 < later - sooner < 0.011 for sooner, later in pairwise(dues))
    assert len({round(due % 0.001, 4) for due in dues}) > 5
    assert all(answer.at - answer.due > 0.3 for answer in load.answers)


def test_creates_are_of_all_products_and_of_each_customer_by_turns() -> None:
    requests = list(islice(creates(PRODUCTS, 200), 400))
    assert requests[:200] == requests[200:]
    assert all(sum(product.encode() + b'"' in request for request in requests) == 4 for product in PRODUCTS)
    head, body = requests[0].split(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head


def test_an_order_id_is_read_whatever_the_spaces() -> None:
    assert order_id(b'{"taskId":"t","orderId":"a-1"}') == order_id(b'{"orderId" : "a-1"}') == "a-1"
    assert orders_in(b'[{"orderId":"a"},{"orderId": "b"}]') == 2
