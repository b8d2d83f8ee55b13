"""Orders that are JSON but not valid: 422, with a JSON pointer (RFC 6901) to each place that is wrong."""

from typing import Any

import pytest

from tests.api.contract import pointers
from tests.client import Client

LINE = {"productId": "p", "quantity": 1}
LONG_ID = "x" * 65


def items(*lines: dict[str, Any]) -> dict[str, Any]:
    return {"userId": "u", "items": list(lines)}


def flat(**changes: Any) -> dict[str, Any]:
    return {"userId": "u", **LINE, **changes}


REFUSED: dict[str, tuple[Any, set[str]]] = {
    "nothing": ({}, {"/userId", "/items"}),
    "an array": ([items(LINE)], {""}),
    "a string": ("order", {""}),
    "null": (None, {""}),
    "no user": ({"items": [LINE]}, {"/userId"}),
    "no product": ({"userId": "u"}, {"/items"}),
    "no quantity": ({"userId": "u", "productId": "p"}, {"/quantity"}),
    "no items": (items(), {"/items"}),
    "items that are no list": ({"userId": "u", "items": LINE}, {"/items"}),
    "items of null": ({"userId": "u", "items": None}, {"/items"}),
    "101 items": (items(*({"productId": f"p{n}", "quantity": 1} for n in range(101))), {"/items"}),
    "items and flat": ({**items(LINE), **LINE}, {"/productId", "/quantity"}),
    "an unknown field": (flat(colour="red"), {"/colour"}),
    "an unknown field with a name to escape": ({**flat(), "a/b~c": 1}, {"/a~1b~0c"}),
    "an unknown field of a line": (items(LINE, {**LINE, "colour": "red"}), {"/items/1/colour"}),
    "a total of the caller's": (flat(total="1.00"), {"/total"}),
    "a status of the caller's": (flat(status="shipped"), {"/status"}),
    "an id of the caller's": (flat(orderId="mine"), {"/orderId"}),
    "two things wrong": (flat(quantity=0, note=1), {"/quantity", "/note"}),
    "a user called all": (flat(userId="all"), {"/userId"}),
    "a user called create": (flat(userId="create"), {"/userId"}),
    "a user without a name": (flat(userId=""), {"/userId"}),
    "a user of 65 characters": (flat(userId=LONG_ID), {"/userId"}),
    "a user with a space": (flat(userId="a b"), {"/userId"}),
    "a user with a slash": (flat(userId="a/b"), {"/userId"}),
    "a user with an umlaut": (flat(userId="ü"), {"/userId"}),
    "a user with a line break": (flat(userId="u\n"), {"/userId"}),
    "a user that is a number": (flat(userId=7), {"/userId"}),
    "a user of null": (flat(userId=None), {"/userId"}),
    "a product of 65 characters": (flat(productId=LONG_ID), {"/productId"}),
    "a product with braces": (items({"productId": "{p}", "quantity": 1}), {"/items/0/productId"}),
    "a product that is a number": (flat(productId=7), {"/productId"}),
    "a quantity of true": (flat(quantity=True), {"/quantity"}),
    "a quantity in quotes": (flat(quantity="3"), {"/quantity"}),
    "a quantity of 3.5": (flat(quantity=3.5), {"/quantity"}),
    "a quantity of null": (flat(quantity=None), {"/quantity"}),
    "a quantity of a list": (flat(quantity=[1]), {"/quantity"}),
    "a quantity of 0": (flat(quantity=0), {"/quantity"}),
    "a quantity of -1": (flat(quantity=-1), {"/quantity"}),
    "a quantity of 10,001": (flat(quantity=10_001), {"/quantity"}),
    "a quantity of 10^400": (flat(quantity=10**400), {"/quantity"}),
    "10,001 after merging": (items({"productId": "p", "quantity": 10_000}, LINE), {"/items"}),
    "two prices of one product": (items({**LINE, "unitPrice": "1"}, {**LINE, "unitPrice": "1.01"}), {"/items"}),
    "one product with a price and without": (items({**LINE, "unitPrice": "1"}, LINE), {"/items"}),
    "a currency in small letters": (flat(currency="usd"), {"/currency"}),
    "a currency of two letters": (flat(currency="US"), {"/currency"}),
    "a currency of four letters": (flat(currency="USDT"), {"/currency"}),
    "a currency with a digit": (flat(currency="US1"), {"/currency"}),
    "a currency that is a number": (flat(currency=840), {"/currency"}),
}


@pytest.mark.parametrize(("body", "wrong"), REFUSED.values(), ids=REFUSED)
def test_an_invalid_order_is_refused_with_the_places_that_are_wrong(api: Client, body: Any, wrong: set[str]) -> None:
    answer = api.call("POST", "/order/create", body) if body is not None else null(api)

    assert pointers(answer) == wrong


def null(api: Client) -> Any:
    return api.call("POST", "/order/create", data="null", headers={"Content-Type": "application/json"})


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1e99999999999999999999", "9" * 5000], ids=lambda n: n[:9])
def test_a_number_beyond_all_bounds_is_refused_like_any_other(api: Client, number: str) -> None:
    text = '{"userId":"u","productId":"p","quantity":%s,"unitPrice":%s,"metadata":{"a":%s}}' % ((number,) * 3)
    answer = api.call("POST", "/order/create", data=text, headers={"Content-Type": "application/json"})

    assert pointers(answer) == {"/quantity", "/unitPrice", "/metadata"}
