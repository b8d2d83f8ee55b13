"""PUT /order/<orderId>: what it answers, what it changes and what it leaves."""

from collections.abc import Callable
from typing import Any

import pytest

from models.ids import new_id
from tests.api.contract import ACCEPTED_FIELDS, check_order, json_of, moment, pointers, problem
from tests.client import Client

Order = dict[str, Any]


def test_an_update_is_accepted_with_a_task_of_its_own(api: Client, order: Order) -> None:
    answer = api.call("PUT", f"/order/{order['orderId']}", {"note": "second"})

    body = json_of(answer, 202)
    assert set(body) == ACCEPTED_FIELDS
    assert body["orderId"] == order["orderId"] != body["taskId"]
    assert body["state"] == "QUEUED"
    assert answer.headers["Location"] == body["statusUrl"] == f"/task/{body['taskId']}"
    assert body["orderUrl"] == f"/orders/{order['orderId']}"


def test_an_update_changes_what_it_names_and_leaves_the_rest(api: Client, order: Order) -> None:
    task = api.write("PUT", f"/order/{order['orderId']}", {"note": "second"})

    assert (task["state"], task["outcome"], task["problem"]) == ("SUCCESS", "updated", None)
    check_order(task["order"])
    assert moment(task["order"]["updatedAt"]) > moment(order["updatedAt"])
    changed = {"note": "second", "version": 2, "updatedAt": task["order"]["updatedAt"]}
    assert task["order"] == {**order, **changed}


def test_null_clears_what_may_be_null(api: Client, user: str, product: str) -> None:
    given: dict[str, Any] = {"note": "n", "shippingAddress": {"city": "Ulm"}, "metadata": {"a": 1}}
    order = api.create(user, {"productId": product, "quantity": 1}, **given)

    cleared = api.write("PUT", f"/order/{order['orderId']}", dict.fromkeys(given))["order"]

    assert {name: cleared[name] for name in given} == dict.fromkeys(given)
    assert cleared["items"] == order["items"]


def test_new_items_replace_all_items_and_the_total(api: Client, order: Order, stocked: Callable[[int], str]) -> None:
    other = stocked(5)
    items = [
        {"productId": other, "quantity": 1, "unitPrice": 2.5},
        {"productId": other, "quantity": 1, "unitPrice": "2.5"},
    ]

    updated = api.write("PUT", f"/order/{order['orderId']}", {"items": items})["order"]

    assert updated["items"] == [{"productId": other, "quantity": 2, "unitPrice": "2.5"}]
    assert updated["total"] == "5.0"


def test_new_items_may_be_given_flat(api: Client, order: Order, product: str) -> None:
    updated = api.write("PUT", f"/order/{order['orderId']}", {"productId": product, "quantity": 7, "note": None})[
        "order"
    ]

    assert updated["items"] == [{"productId": product, "quantity": 7, "unitPrice": None}]
    assert (updated["total"], updated["note"]) == (None, None)


REFUSED: dict[str, tuple[Any, set[str]]] = {
    "nothing to change": ({}, {""}),
    "an array": ([], {""}),
    "a status of null": ({"status": None}, {"/status"}),
    "a status nobody knows": ({"status": "lost"}, {"/status"}),
    "a status in capitals": ({"status": "Shipped"}, {"/status"}),
    "items of null": ({"items": None}, {"/items"}),
    "no items": ({"items": []}, {"/items"}),
    "a user": ({"userId": "u"}, {"/userId"}),
    "a currency": ({"currency": "EUR"}, {"/currency"}),
    "a total": ({"total": "1.00"}, {"/total"}),
    "a version": ({"version": 7, "note": "n"}, {"/version"}),
    "a field nobody knows": ({"colour": "red"}, {"/colour"}),
    "a price without a product": ({"unitPrice": "1"}, {"/productId", "/quantity"}),
    "a product without a quantity": ({"productId": "p"}, {"/quantity"}),
    "items and flat": ({"items": [{"productId": "p", "quantity": 1}], "quantity": 2}, {"/quantity"}),
    "a quantity of 0": ({"productId": "p", "quantity": 0}, {"/quantity"}),
    "two prices of one product": (
        {"items": [{"productId": "p", "quantity": 1, "unitPrice": price} for price in ("1", "2")]},
        {"/items"},
    ),
}


@pytest.mark.parametrize(("body", "wrong"), REFUSED.values(), ids=REFUSED)
def test_an_invalid_update_is_refused_with_the_places_that_are_wrong(api: Client, body: Any, wrong: set[str]) -> None:
    assert pointers(api.call("PUT", "/order/nobody", body)) == wrong


def test_an_update_may_name_the_status_that_is(api: Client, order: Order) -> None:
    task = api.write("PUT", f"/order/{order['orderId']}", {"status": "confirmed"})

    assert (task["outcome"], task["order"]["status"]) == ("updated", "confirmed")


def test_an_order_nobody_accepted_is_not_found(api: Client) -> None:
    problem(api.call("PUT", f"/order/{new_id()}", {"note": "n"}), 404, "not-found")


def test_an_order_whose_create_was_rejected_is_not_found(api: Client, user: str) -> None:
    rejected = api.write("POST", "/order/create", {"userId": user, "productId": "none", "quantity": 1})

    problem(api.call("PUT", f"/order/{rejected['orderId']}", {"note": "n"}), 404, "not-found")


def test_a_deleted_order_is_not_found(api: Client, order: Order) -> None:
    api.write("DELETE", f"/order/{order['orderId']}")

    problem(api.call("PUT", f"/order/{order['orderId']}", {"note": "n"}), 404, "not-found")
