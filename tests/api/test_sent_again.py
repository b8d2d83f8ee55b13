"""`Idempotency-Key`: a write that is sent again is answered as the first time, and happens once."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from redis import Redis

from tests.api.contract import ACCEPTED_FIELDS, json_of, problem
from tests.client import Client

Unique = Callable[[str], str]
CREATE = ("POST", "/order/create")


@pytest.fixture
def key(unique: Unique) -> str:
    return unique("key")


def send(api: Client, key: str, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
    return api.call(method, path, body, headers={"Idempotency-Key": key, **headers})


def a_create(user: str, product: str = "plenty", **more: Any) -> dict[str, Any]:
    return {"userId": user, "items": [{"productId": product, "quantity": 1}], **more}


def repeated(redis_client: "Redis") -> int:
    return int(redis_client.hget("counts", "accepts_repeated") or 0)


def test_fifty_parallel_creates_with_one_key_are_one_order(
    api: Client, key: str, user: str, product: str, redis_client: "Redis"
) -> None:
    before = repeated(redis_client)

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: send(Client(api.url), key, *CREATE, a_create(user)), range(50)))

    first, *others = [json_of(answer, 202) for answer in answers]
    assert set(first) == ACCEPTED_FIELDS
    assert others == [first] * 49
    assert api.ended(first["taskId"])["outcome"] == "created"
    assert [order["orderId"] for order in json_of(api.get(f"/order/{user}"))] == [first["orderId"]]
    assert repeated(redis_client) - before >= 49


def test_a_create_sent_again_after_its_end_is_answered_as_before(
    api: Client, key: str, user: str, product: str
) -> None:
    first = send(api, key, *CREATE, a_create(user))
    api.ended(json_of(first, 202)["taskId"])

    again = send(api, key, *CREATE, a_create(user))

    assert json_of(again, 202) == json_of(first, 202)
    assert again.headers["Location"] == first.headers["Location"]
    assert len(json_of(api.get(f"/order/{user}"))) == 1


def test_a_rejection_is_answered_as_before_too(api: Client, key: str, user: str) -> None:
    first = json_of(send(api, key, *CREATE, a_create(user, "none")), 202)
    assert api.ended(first["taskId"])["outcome"] == "rejected"

    assert json_of(send(api, key, *CREATE, a_create(user, "none")), 202) == first


def test_a_delete_sent_again_is_answered_as_before_though_the_order_is_gone(
    api: Client, key: str, order: dict[str, Any]
) -> None:
    path = f"/order/{order['orderId']}"
    first = json_of(send(api, key, "DELETE", path), 202)
    assert api.ended(first["taskId"])["outcome"] == "deleted"

    assert json_of(send(api, key, "DELETE", path), 202) == first
    problem(send(api, f"{key}-2", "DELETE", path), 404, "not-found")
    problem(api.call("DELETE", path), 404, "not-found")


def test_an_update_sent_again_is_answered_as_before_whatever_the_order_has_become(
    api: Client, key: str, order: dict[str, Any]
) -> None:
    path = f"/order/{order['orderId']}"
    first = json_of(send(api, key, "PUT", path, {"note": "once"}, **{"If-Match": '"1"'}), 202)
    assert api.ended(first["taskId"])["outcome"] == "updated"

    assert json_of(send(api, key, "PUT", path, {"note": "once"}, **{"If-Match": '"1"'}), 202) == first
    assert json_of(api.get(f"/orders/{order['orderId']}"))["version"] == 2
    api.write("DELETE", path)
    assert json_of(send(api, key, "PUT", path, {"note": "once"}, **{"If-Match": '"1"'}), 202) == first


def test_another_body_under_the_same_key_is_refused(
    api: Client, key: str, user: str, product: str, order: dict[str, Any]
) -> None:
    send(api, key, *CREATE, a_create(user))
    path = f"/order/{order['orderId']}"
    send(api, key, "PUT", path, {"note": "one"})

    problem(send(api, key, *CREATE, a_create(user, note="another")), 422, "idempotency-key-reused")
    problem(send(api, key, "PUT", path, {"note": "another"}), 422, "idempotency-key-reused")


def test_the_same_order_written_in_another_way_is_the_same_body(api: Client, key: str, user: str, product: str) -> None:
    first = json_of(send(api, key, *CREATE, a_create(user, currency="USD")), 202)

    flat = {"quantity": 1.0, "productId": product, "userId": user}

    assert json_of(send(api, key, *CREATE, flat), 202) == first


def test_a_key_is_of_one_method_and_path(api: Client, key: str, user: str, product: str) -> None:
    order_ids = [json_of(send(api, f"{key}-{n}", *CREATE, a_create(user)), 202)["orderId"] for n in (1, 2)]
    calls = [(method, f"/order/{order_id}") for order_id in order_ids for method in ("PUT", "DELETE")]

    answers = [send(api, key, method, path, {"note": "n"} if method == "PUT" else None) for method, path in calls]

    assert len({json_of(answer, 202)["taskId"] for answer in answers} | set(order_ids)) == 6


def test_what_was_not_accepted_is_not_remembered(api: Client, key: str, user: str, order: dict[str, Any]) -> None:
    problem(send(api, key, *CREATE, {"userId": user}), 422, "invalid")
    json_of(send(api, key, *CREATE, a_create(user)), 202)

    path = f"/order/{order['orderId']}"
    problem(send(api, key, "PUT", path, {"note": "n"}, **{"If-Match": '"7"'}), 412, "precondition-failed")
    json_of(send(api, key, "PUT", path, {"note": "m"}), 202)


@pytest.mark.parametrize("same", ["'bare' and \"in quotes\"", "escaped"])
def test_a_key_in_quotes_is_the_bare_one(api: Client, key: str, user: str, product: str, same: str) -> None:
    bare, quoted = (key, f'"{key}"') if same != "escaped" else (f'{key}"\\', f'"{key}\\"\\\\"')

    first = json_of(send(api, bare, *CREATE, a_create(user)), 202)

    assert json_of(send(api, quoted, *CREATE, a_create(user)), 202) == first


@pytest.mark.parametrize("length", [1, 255])
def test_a_key_may_have_1_to_255_characters(api: Client, user: str, product: str, length: int) -> None:
    for key in ("k" * length, f'"{"q" * length}"'):
        path = f"/order/{api.create(user, {'productId': product, 'quantity': 1})['orderId']}"
        json_of(send(api, key, "PUT", path, {"note": "n"}), 202)


@pytest.mark.parametrize(
    "wrong",
    ["", '""', '"', '"a', '"a"b', '"a"b"', r'"a\b"', "two words", '"two words"', "k" * 256, f'"{"k" * 256}"', "clé"],
)
@pytest.mark.parametrize("call", ["POST", "PUT", "DELETE"])
def test_any_other_key_is_malformed(api: Client, user: str, call: str, wrong: str) -> None:
    path, body = {
        "POST": ("/order/create", a_create(user)),
        "PUT": ("/order/nobody", {"note": "n"}),
        "DELETE": ("/order/nobody", None),
    }[call]

    answer = api.call(call, path, body, headers={"Idempotency-Key": wrong.encode("latin-1")})

    assert "Idempotency-Key" in problem(answer, 400, "malformed")["detail"]


def test_a_write_s_record_names_what_is_remembered_of_its_key(
    api: Client, key: str, user: str, redis_client: "Redis"
) -> None:
    known = set(redis_client.scan_iter("idempotency:*", count=10_000))
    accepted = json_of(send(api, key, *CREATE, a_create(user)), 202)

    (name,) = set(redis_client.scan_iter("idempotency:*", count=10_000)) - known

    assert key not in name
    remembered = json.loads(str(redis_client.get(name)))
    assert {field: remembered[field] for field in ("taskId", "orderId")} == {
        field: accepted[field] for field in ("taskId", "orderId")
    }
