"""Which paths and methods there are: everything else is a problem, never a page of HTML."""

import pytest

from tests.api.contract import json_of, problem
from tests.client import Client

UNKNOWN = [
    "/",
    "/order",
    "/order/",
    "/order/all/",
    "/order/create/",
    "/order/a/b",
    "/order/a%2Fb",
    "/order/a%20b",
    "/order/%C3%BC",
    "/order/%FF",
    "/order/%00",
    "/order/" + "x" * 65,
    "/orders",
    "/orders/" + "x" * 65,
    "/task",
    "/task/",
    "/favicon.ico",
    "/static/x",
    "/index.html",
    "/..%2f..%2fetc/passwd",
]

NOT_ALLOWED = [
    ("PUT", "/order/create", {"POST"}),
    ("DELETE", "/order/create", {"POST"}),
    ("GET", "/order/create", {"POST"}),
    ("POST", "/order/all", {"GET", "HEAD"}),
    ("PUT", "/order/all", {"GET", "HEAD"}),
    ("DELETE", "/order/all", {"GET", "HEAD"}),
    ("POST", "/order/someone", {"GET", "HEAD", "PUT", "DELETE"}),
    ("PATCH", "/order/someone", {"GET", "HEAD", "PUT", "DELETE"}),
    ("PUT", "/orders/someone", {"GET", "HEAD"}),
    ("DELETE", "/task/someone", {"GET", "HEAD"}),
    ("POST", "/livez", {"GET", "HEAD"}),
    ("PROPFIND", "/order/all", {"GET", "HEAD"}),
]


@pytest.mark.parametrize("path", UNKNOWN)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_an_unknown_path_is_not_found(api: Client, method: str, path: str) -> None:
    problem(api.call(method, path, headers={"Accept": "text/html"}), 404, "not-found")


@pytest.mark.parametrize(("method", "path", "allowed"), NOT_ALLOWED)
def test_another_method_is_not_allowed_and_those_that_are_are_named(
    api: Client, method: str, path: str, allowed: set[str]
) -> None:
    answer = api.call(method, path, {"note": "n"}, headers={"Accept": "text/html"})

    problem(answer, 405, "method-not-allowed")
    assert set(answer.headers["Allow"].split(", ")) - {"OPTIONS"} == allowed


def test_the_process_says_that_it_lives(api: Client) -> None:
    assert json_of(api.get("/livez")) == {"status": "ok"}


def test_the_service_says_that_it_is_ready(api: Client) -> None:
    assert json_of(api.get("/readyz")) == {"status": "ok", "checks": {"mongodb": "ok", "redis": "ok"}}
