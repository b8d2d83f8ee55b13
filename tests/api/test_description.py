"""/openapi.json: a valid OpenAPI 3.1 document that says what the service does, held against real answers."""

import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import validate

from api import create_app
from tests.api.contract import json_of
from tests.client import Client
from tests.processes import eventually

Described = dict[str, Any]
METHODS = {"get", "post", "put", "delete", "patch"}

JSON = "application/json"
A_BODY = b'{"userId":"u","productId":"none","quantity":1}'
LARGE = b" " * (256 * 1024 + 1)
NOBODY = "01a00000-0000-7000-8000-000000000000"

# What makes an answer that depends on a header.
HEADERS = {304: {"If-None-Match": '"1"'}, 412: {"If-Match": '"9"'}}
NO_KEY = {"Idempotency-Key": "two words"}

# method, path in the document, path called, body, its type, status
CALLS: list[tuple[str, str, str, bytes | None, str, int]] = [
    ("post", "/order/create", "/order/create", A_BODY, JSON, 202),
    ("post", "/order/create", "/order/create", b"{", JSON, 400),
    ("post", "/order/create", "/order/create", LARGE, JSON, 413),
    ("post", "/order/create", "/order/create", A_BODY, "text/plain", 415),
    ("post", "/order/create", "/order/create", b"{}", JSON, 422),
    ("get", "/order/all", "/order/all?userId={user}", None, "", 200),
    ("get", "/order/all", "/order/all?limit=0", None, "", 400),
    ("get", "/order/{id}", "/order/{user}", None, "", 200),
    ("get", "/order/{id}", "/order/{user}?limit=0", None, "", 400),
    ("get", "/order/{id}", "/order/no%20id", None, "", 404),
    ("put", "/order/{id}", "/order/{order}", b'{"note":"second"}', JSON, 202),
    ("put", "/order/{id}", "/order/{order}", b"{", JSON, 400),
    ("put", "/order/{id}", f"/order/{NOBODY}", b'{"note":"second"}', JSON, 404),
    ("put", "/order/{id}", "/order/{order}", b'{"note":"second"}', JSON, 412),
    ("put", "/order/{id}", "/order/{order}", LARGE, JSON, 413),
    ("put", "/order/{id}", "/order/{order}", b"{}", "text/plain", 415),
    ("put", "/order/{id}", "/order/{order}", b"{}", JSON, 422),
    ("delete", "/order/{id}", "/order/{order}", None, "", 202),
    ("delete", "/order/{id}", "/order/{order}", None, "", 400),
    ("delete", "/order/{id}", f"/order/{NOBODY}", None, "", 404),
    ("delete", "/order/{id}", "/order/{order}", None, "", 412),
    ("get", "/orders/{orderId}", "/orders/{order}", None, "", 200),
    ("get", "/orders/{orderId}", "/orders/{order}", None, "", 304),
    ("get", "/orders/{orderId}", f"/orders/{NOBODY}", None, "", 404),
    ("get", "/task/{taskId}", "/task/{order}", None, "", 200),
    ("get", "/task/{taskId}", f"/task/{NOBODY}", None, "", 404),
    ("get", "/livez", "/livez", None, "", 200),
    ("get", "/readyz", "/readyz", None, "", 200),
    ("get", "/openapi.json", "/openapi.json", None, "", 200),
]


@pytest.fixture
def described(api: Client) -> Described:
    document: Described = json_of(api.get("/openapi.json"))
    return document


def operations(described: Described) -> dict[tuple[str, str], Any]:
    """Return what is described, by method and path."""
    return {
        (method, path): operation
        for path, item in described["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


def fits(described: Described, schema: Any, value: Any) -> bool:
    """Tell whether a value is what a schema of the document says."""
    whole = {"components": described["components"], "allOf": [schema]}
    return bool(Draft202012Validator(whole, format_checker=FormatChecker()).is_valid(value))


def described_answer(described: Described, method: str, path: str, status: int) -> Any:
    """Return what the document says of an answer."""
    answer = operations(described)[method, path]["responses"][str(status)]
    return described["components"]["responses"][answer["$ref"].split("/")[-1]] if "$ref" in answer else answer


def test_the_document_is_valid_openapi(described: Described) -> None:
    assert described["openapi"].startswith("3.1")

    validate(described)


def test_every_route_is_described_and_nothing_else(described: Described) -> None:
    routes = {
        (method.lower(), re.sub(r"<[^>]*>", "{}", rule.rule))
        for rule in create_app().url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }

    assert {(method, re.sub(r"\{[^}]*\}", "{}", path)) for method, path in operations(described)} == routes


def test_every_described_answer_but_that_of_a_dead_server_is_called_for_here(described: Described) -> None:
    answers = {
        (method, path, int(status))
        for (method, path), operation in operations(described).items()
        for status in operation["responses"]
    }

    assert {(method, path, status) for method, path, _, _, _, status in CALLS} == {
        answer for answer in answers if answer[2] != 503
    }


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call[0]} {call[1]} {call[5]}")
def test_an_answer_is_what_the_document_says(
    api: Client,
    described: Described,
    order: dict[str, Any],
    call: tuple[str, str, str, bytes | None, str, int],
) -> None:
    method, path, called, body, content_type, status = call
    headers = {"Content-Type": content_type} if body is not None else {}
    headers |= HEADERS.get(status, {}) if (method, status) != ("delete", 400) else NO_KEY

    answer = api.call(
        method.upper(), called.format(order=order["orderId"], user=order["userId"]), data=body, headers=headers
    )

    assert answer.status_code == status, answer.text
    said = described_answer(described, method, path, status)
    if status == 304:
        assert "content" not in said
        return
    ((described_type, content),) = said["content"].items()
    assert answer.headers["Content-Type"] == described_type
    assert fits(described, content["schema"], answer.json())
    assert all(name in answer.headers for name in set(said.get("headers", {})) - {"Link"})


def test_a_task_in_each_state_is_what_the_document_says(api: Client, described: Described, user: str) -> None:
    schema = {"$ref": "#/components/schemas/Task"}
    task_id = api.accepted("POST", "/order/create", {"userId": user, "productId": "none", "quantity": 1})["taskId"]
    seen = []

    def rejected() -> bool:
        seen.append(json_of(api.get(f"/task/{task_id}")))
        return bool(seen[-1]["outcome"] == "rejected")

    eventually(rejected)
    assert all(fits(described, schema, task) for task in seen)
    assert not fits(described, schema, {**seen[-1], "state": "LOST"})


BODIES: list[tuple[str, dict[str, Any], bool]] = [
    ("CreateOrder", {"userId": "u", "items": [{"productId": "p", "quantity": 1, "unitPrice": "1.50"}]}, True),
    ("CreateOrderFlat", {"userId": "u", "productId": "p", "quantity": 10_000, "note": None, "currency": "EUR"}, True),
    ("UpdateOrder", {"status": "shipped", "metadata": {"a": [1]}, "shippingAddress": {"street": "x"}}, True),
    ("UpdateOrderFlat", {"productId": "p", "quantity": 1, "unitPrice": 0.5}, True),
    ("CreateOrder", {"userId": "all", "items": [{"productId": "p", "quantity": 1}]}, False),
    ("CreateOrder", {"userId": "x" * 65, "items": [{"productId": "p", "quantity": 1}]}, False),
    ("CreateOrder", {"userId": "u", "items": [{"productId": "p", "quantity": 0}]}, False),
    ("CreateOrder", {"userId": "u", "items": [{"productId": "p", "quantity": 10_001}]}, False),
    ("CreateOrder", {"userId": "u", "items": [{"productId": "p", "quantity": 1}] * 101}, False),
    ("CreateOrder", {"userId": "u", "items": []}, False),
    ("CreateOrderFlat", {"userId": "u", "productId": "p", "quantity": 1, "colour": "red"}, False),
    ("CreateOrderFlat", {"userId": "u", "productId": "p", "quantity": 1, "note": "n" * 2001}, False),
    ("CreateOrderFlat", {"userId": "u", "productId": "p", "quantity": 1, "currency": "usd"}, False),
    ("UpdateOrder", {}, False),
    ("UpdateOrder", {"status": None}, False),
    ("UpdateOrder", {"shippingAddress": {"number": 1}}, False),
]


@pytest.mark.parametrize(("name", "body", "valid"), BODIES)
def test_a_body_is_valid_by_the_document_where_the_service_takes_it(
    api: Client, described: Described, name: str, body: dict[str, Any], *, valid: bool
) -> None:
    create = name.startswith("Create")
    answer = api.call(*(("POST", "/order/create") if create else ("PUT", f"/order/{NOBODY}")), body)

    assert (answer.status_code != 422) == valid
    assert fits(described, {"$ref": f"#/components/schemas/{name}"}, body) == valid


def test_a_write_names_the_headers_that_it_heeds(described: Described) -> None:
    named = {
        called: {parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "header"}
        for called, operation in operations(described).items()
        if called[0] != "get"
    }

    assert named == {
        ("post", "/order/create"): {"Idempotency-Key"},
        ("put", "/order/{id}"): {"Idempotency-Key", "If-Match"},
        ("delete", "/order/{id}"): {"Idempotency-Key", "If-Match"},
    }


def test_an_update_has_no_defaults_that_would_change_what_is_left_out(described: Described) -> None:
    for name in ("UpdateOrder", "UpdateOrderFlat"):
        fields = described["components"]["schemas"][name]["properties"].values()
        assert not any("default" in field for field in fields)
