"""POST /order/create, over a socket: what it answers, and what becomes of the order."""

import uuid
from collections.abc import Callable
from typing import Any

from redis import Redis

from tests.api.contract import ACCEPTED_FIELDS, check_order, check_problem, json_of, moment
from tests.client import Client


def test_a_create_is_accepted_with_the_place_of_its_status(api: Client, user: str) -> None:
    answer = api.call("POST", "/order/create", {"userId": user, "productId": "none", "quantity": 1})

    body = json_of(answer, 202)
    assert set(body) == ACCEPTED_FIELDS
    assert body["taskId"] == body["orderId"]
    assert body["state"] == "QUEUED"
    assert answer.headers["Location"] == body["statusUrl"] == f"/task/{body['taskId']}"
    assert body["orderUrl"] == f"/orders/{body['orderId']}"


def test_ids_are_random_and_ordered_by_time(api: Client, user: str) -> None:
    body = {"userId": user, "productId": "none", "quantity": 1}

    ids = [api.accepted("POST", "/order/create", body)["orderId"] for _ in range(5)]

    assert ids == sorted(ids)
    assert all(uuid.UUID(order_id).version == 7 for order_id in ids)
    assert len({order_id[-12:] for order_id in ids}) == 5


def test_an_order_is_created_from_stock(
    api: Client, stocked: Callable[[int], str], user: str, redis_client: Redis
) -> None:
    bought = stocked(10)

    order = api.create(user, {"productId": bought, "quantity": 3, "unitPrice": "1.25"})

    assert order["total"] == "3.75"
    assert redis_client.get(f"product:{bought}:stock") == "7"


def test_a_created_order_has_all_fields_and_null_where_nothing_was_given(api: Client, user: str, product: str) -> None:
    order = api.create(user, {"productId": product, "quantity": 2})

    check_order(order)
    uuid.UUID(order.pop("orderId"))
    assert order.pop("createdAt") <= order.pop("updatedAt")
    assert order == {
        "userId": user,
        "items": [{"productId": product, "quantity": 2, "unitPrice": None}],
        "currency": "USD",
        "total": None,
        "status": "confirmed",
        "shippingAddress": None,
        "note": None,
        "metadata": None,
        "version": 1,
    }


def test_a_created_order_keeps_everything_it_was_given(api: Client, user: str, product: str) -> None:
    given: dict[str, Any] = {
        "currency": "EUR",
        "shippingAddress": {"street": "Rue de l'Été 1", "city": "Liège"},
        "note": "ring twice",
        "metadata": {"source": "app", "tags": [1, None, True]},
    }

    order = api.create(user, {"productId": product, "quantity": 1, "unitPrice": "2"}, **given)

    assert {name: order[name] for name in given} == given


def test_one_product_may_be_given_flat(api: Client, user: str, product: str) -> None:
    body = {"userId": user, "productId": product, "quantity": 3, "unitPrice": "0.50"}

    order = api.write("POST", "/order/create", body)["order"]

    assert order["items"] == [{"productId": product, "quantity": 3, "unitPrice": "0.50"}]
    assert order["total"] == "1.50"


def test_lines_of_one_product_become_one(
    api: Client, user: str, product: str, stocked: Callable[[int], str], redis_client: Redis
) -> None:
    other = stocked(5)
    lines = [(product, 2, "1.5"), (other, 1, None), (product, 3, "1.50"), (other, 1, None)]

    order = api.create(user, *({"productId": p, "quantity": q, "unitPrice": u} for p, q, u in lines))

    assert order["items"] == [
        {"productId": product, "quantity": 5, "unitPrice": "1.5"},
        {"productId": other, "quantity": 2, "unitPrice": None},
    ]
    assert redis_client.get(f"product:{other}:stock") == "3"


def test_a_whole_number_is_a_quantity_however_it_is_written(api: Client, user: str, product: str) -> None:
    text = '{"userId":"%s","items":[{"productId":"%s","quantity":3.0},{"productId":"%s","quantity":1e1}]}'
    answer = api.call(
        "POST",
        "/order/create",
        data=text % (user, product, product),
        headers={"Content-Type": "application/json"},
    )

    order = api.ended(json_of(answer, 202)["taskId"])["order"]

    assert order["items"][0]["quantity"] == 13
    assert isinstance(order["items"][0]["quantity"], int)


def test_ten_thousand_units_after_merging_and_a_hundred_lines_are_allowed(api: Client, user: str, product: str) -> None:
    order = api.create(user, *[{"productId": product, "quantity": 100}] * 100)

    assert order["items"] == [{"productId": product, "quantity": 10_000, "unitPrice": None}]


def test_ids_may_have_64_characters_of_all_kinds(api: Client, user: str, redis_client: Redis) -> None:
    longest = f"Az09_.:-{uuid.uuid4().hex}".ljust(64, "x")
    redis_client.set(f"product:{longest}:stock", 1)

    order = api.create(longest, {"productId": longest, "quantity": 1})

    assert (order["userId"], order["items"][0]["productId"]) == (longest, longest)


def test_times_tell_when_the_order_was_accepted_and_stored(api: Client, user: str, product: str) -> None:
    task = api.write("POST", "/order/create", {"userId": user, "productId": product, "quantity": 1})

    order = task["order"]
    assert order["createdAt"] == task["acceptedAt"]
    assert moment(order["createdAt"]) <= moment(order["updatedAt"]) <= moment(task["endedAt"])


def test_more_units_than_there_are_is_a_conflict_that_moves_nothing(
    api: Client, user: str, stocked: Callable[[int], str], redis_client: Redis
) -> None:
    scarce, ample = stocked(2), stocked(9)
    items = [{"productId": ample, "quantity": 1}, {"productId": scarce, "quantity": 3}]

    task = api.write("POST", "/order/create", {"userId": user, "items": items})

    assert (task["state"], task["outcome"], task["order"]) == ("SUCCESS", "rejected", None)
    check_problem(task["problem"], 409, "insufficient-stock")
    assert task["problem"]["items"] == [{"productId": scarce, "requested": 3, "available": 2}]
    assert redis_client.mget(f"product:{scarce}:stock", f"product:{ample}:stock") == ["2", "9"]


def test_a_product_nobody_knows_is_a_conflict(
    api: Client, user: str, product: str, unique: Callable[[str], str]
) -> None:
    nowhere = unique("product")
    items = [{"productId": product, "quantity": 1}, {"productId": nowhere, "quantity": 1}]

    task = api.write("POST", "/order/create", {"userId": user, "items": items})

    assert (task["state"], task["outcome"]) == ("SUCCESS", "rejected")
    check_problem(task["problem"], 409, "unknown-product")
    assert task["problem"]["productIds"] == [nowhere]


def test_a_customer_without_notifications_is_a_conflict_that_takes_no_stock(
    api: Client, user: str, stocked: Callable[[int], str], redis_client: Redis
) -> None:
    bought = stocked(4)
    redis_client.hset("user:preferences", user, '{"notifications": {"orders": false}}')

    task = api.write("POST", "/order/create", {"userId": user, "productId": bought, "quantity": 1})

    assert (task["state"], task["outcome"]) == ("SUCCESS", "rejected")
    check_problem(task["problem"], 409, "notifications-off")
    assert redis_client.get(f"product:{bought}:stock") == "4"
