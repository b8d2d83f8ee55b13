"""Bodies as bytes: what is no JSON, in the wrong encoding, too large, or of the wrong type."""

import json
import socket
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import pytest
import requests

from tests.api.contract import json_of, problem
from tests.client import Client

LIMIT = 256 * 1024
ORDER = '{"userId":"u","productId":"none","quantity":1}'

NOT_JSON = {
    "nothing": b"",
    "half an object": ORDER[:-1].encode(),
    "something after it": ORDER.encode() + b" {}",
    "single quotes": ORDER.replace('"', "'").encode(),
    "a trailing comma": ORDER.replace("}", ",}").encode(),
    "NaN": ORDER.replace(":1", ":NaN").encode(),
    "Infinity": ORDER.replace(":1", ":-Infinity").encode(),
    "Latin-1": ORDER.replace('"u"', '"ü"').encode("latin-1"),
    "UTF-16": ORDER.encode("utf-16"),
    "UTF-16 without a mark": ORDER.encode("utf-16-le"),
    "UTF-32": ORDER.encode("utf-32"),
    "a lone surrogate": ORDER.replace('"u"', r'"\ud800"').encode(),
    "a lone surrogate in a name": ORDER.replace("}", r',"metadata":{"\udfff":1}}').encode(),
    "endless nesting": ORDER.replace(":1", ":" + "[" * 100_000).encode(),
    "very deep nesting": ORDER.replace("}", ',"metadata":' + "[" * 50_000 + "]" * 50_000 + "}").encode(),
    "a form": b"userId=u&productId=p&quantity=1",
}


def send(api: Client, body: Any, content_type: str | None = "application/json", method: str = "POST") -> Any:
    """Send it on a connection of its own: after a body that was not read to its end, the server closes it."""
    url = api.url + ("/order/create" if method == "POST" else "/order/nobody")
    return requests.request(
        method, url, data=body, headers={"Content-Type": content_type} if content_type else {}, timeout=30
    )


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON)
def test_a_body_that_is_not_json_in_utf_8_is_malformed(api: Client, method: str, body: bytes) -> None:
    problem(send(api, body, method=method), 400, "malformed")


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonx"])
def test_a_body_that_does_not_say_it_is_json_is_not_read(api: Client, method: str, content_type: str | None) -> None:
    problem(send(api, ORDER.encode(), content_type, method), 415, "unsupported-media-type")


def test_the_type_may_name_its_encoding(api: Client) -> None:
    json_of(send(api, ORDER.encode(), "application/json; charset=utf-8"), 202)


def test_a_body_may_have_256_kib(api: Client) -> None:
    json_of(send(api, ORDER.encode().ljust(LIMIT)), 202)
    json_of(send(api, chunks(ORDER.encode().ljust(LIMIT))), 202)


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("size", [LIMIT + 1, LIMIT + 2, 4 * LIMIT])
def test_a_larger_body_is_too_large_however_it_is_sent(api: Client, method: str, size: int) -> None:
    whole = ORDER.encode().ljust(size)

    problem(send(api, whole, method=method), 413, "too-large")
    problem(send(api, chunks(whole), method=method), 413, "too-large")


def test_a_large_body_is_not_cut_off_to_what_is_allowed(api: Client) -> None:
    hidden = ORDER.encode().ljust(LIMIT) + b',"colour":"red"'

    problem(send(api, chunks(hidden)), 413, "too-large")


def test_a_body_that_ends_too_early_is_malformed(api: Client) -> None:
    connection = HTTPConnection(api.url.removeprefix("http://"), timeout=10)
    connection.request(
        "POST", "/order/create", ORDER[:20], {"Content-Type": "application/json", "Content-Length": str(len(ORDER))}
    )
    connection.sock.shutdown(socket.SHUT_WR)

    answer = connection.getresponse()

    assert (answer.status, answer.headers["Content-Type"]) == (400, "application/problem+json")
    connection.close()


@pytest.mark.parametrize(
    "chunked",
    [b"zz\r\n{}\r\n0\r\n\r\n", b"-1\r\n{}\r\n0\r\n\r\n", b"2\r\n{}xx0\r\n\r\n", b"2;\x00\r\n{}\r\n0\r\n\r\n"],
    ids=["no size", "a negative size", "no end of a chunk", "a wrong extension"],
)
@pytest.mark.parametrize("method", ["POST /order/create", "PUT /order/nobody"])
def test_chunks_that_can_t_be_read_are_malformed(api: Client, method: str, chunked: bytes) -> None:
    with api.connected() as connection:
        head = f"{method} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head.encode() + chunked)
        answer = HTTPResponse(connection)
        answer.begin()

        body = json.loads(answer.read())

        assert (answer.status, body["type"]) == (400, "malformed")
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert connection.recv(1) == b""  # what stands after it is no request


def test_text_of_all_planes_comes_back_as_it_was(api: Client, user: str, product: str) -> None:
    note = 'é ü 漢字 🦀 \u0000 \u2028 "quoted" \\ </script>'
    escaped = json.dumps({"userId": user, "productId": product, "quantity": 1, "note": note})
    plain = json.dumps({"userId": user, "productId": product, "quantity": 1, "note": note}, ensure_ascii=False)

    for text in (escaped, plain):
        task = api.ended(json_of(send(api, text.encode()), 202)["taskId"])
        assert task["order"]["note"] == note


def chunks(whole: bytes) -> Iterator[bytes]:
    """Have the body sent without a Content-Length."""
    for start in range(0, len(whole), 50_000):
        yield whole[start : start + 50_000]
