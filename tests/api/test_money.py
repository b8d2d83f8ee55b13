"""Money over HTTP: exact on the way in and out, a string on the way out, never a float."""

from decimal import Decimal
from typing import Any

import pytest

from tests.api.contract import json_of, pointers
from tests.client import Client

JSON = {"Content-Type": "application/json"}

# the price in the request's JSON, the quantity; the price and the total in the answer
EXACT = [
    ('"19.99"', 3, ("19.99", "59.97")),
    ("19.99", 3, ("19.99", "59.97")),
    ("5", 2, ("5", "10")),
    ('"5"', 2, ("5", "10")),
    ("0.1", 3, ("0.1", "0.3")),
    ('"0.1000"', 3, ("0.1000", "0.3000")),
    ("1.005", 1000, ("1.005", "1005.000")),
    ("0", 9, ("0", "0")),
    ('"-0"', 9, ("0", "0")),
    ("0.0001", 10_000, ("0.0001", "1.0000")),
    ("1e2", 1, ("100", "100")),
    ('"1.5e1"', 1, ("15", "15")),
    ("1.50000", 1, ("1.5000", "1.5000")),
    ("999999999.9999", 10_000, ("999999999.9999", "9999999999999.0000")),
]

NO_MONEY = [
    "-0.01",
    '"-1"',
    "1000000000",
    '"1000000000"',
    "1e9",
    "0.00001",
    '"1.23456"',
    '"1e-5"',
    "true",
    '""',
    '" 1"',
    '"1,50"',
    '"1_000"',
    '"0x1"',
    '"NaN"',
    '"Infinity"',
    '"\u0661"',  # a one in Arabic
    '"$5"',
    "[1]",
    "{}",
]


def create(api: Client, user: str, product: str, price: str, quantity: int = 1) -> Any:
    text = f'{{"userId":"{user}","productId":"{product}","quantity":{quantity},"unitPrice":{price}}}'
    return api.call("POST", "/order/create", data=text.encode(), headers=JSON)


@pytest.mark.parametrize(("written", "quantity", "exact"), EXACT)
def test_a_price_is_kept_exactly_and_the_total_computed_exactly(
    api: Client, user: str, product: str, written: str, quantity: int, exact: tuple[str, str]
) -> None:
    accepted = json_of(create(api, user, product, written, quantity), 202)

    order = api.ended(accepted["taskId"])["order"]

    assert (order["items"][0]["unitPrice"], order["total"]) == exact


@pytest.mark.parametrize("written", NO_MONEY)
def test_what_is_no_price_is_refused(api: Client, user: str, product: str, written: str) -> None:
    assert pointers(create(api, user, product, written)) == {"/unitPrice"}


def test_a_total_of_many_large_lines_loses_nothing(api: Client, user: str, product: str, redis_client: Any) -> None:
    names = [f"{user}-{n}" for n in range(99)]
    redis_client.mset({f"product:{name}:stock": 10_000 for name in names})
    price = Decimal("999999999.9999")

    lines = [{"productId": name, "quantity": 10_000, "unitPrice": str(price)} for name in names]
    order = api.create(user, *lines, {"productId": product, "quantity": 1, "unitPrice": "0.0001"})

    assert order["total"] == str(price * 990_000 + Decimal("0.0001"))


def test_a_total_is_null_where_a_price_is_missing(api: Client, user: str, product: str, redis_client: Any) -> None:
    redis_client.set(f"product:{user}:stock", 1)

    order = api.create(
        user, {"productId": product, "quantity": 1, "unitPrice": "1"}, {"productId": user, "quantity": 1}
    )

    assert order["total"] is None
    assert [item["unitPrice"] for item in order["items"]] == ["1", None]
