"""POST /order/create, over a socket."""

from collections.abc import Callable

from redis import Redis

from tests.client import Client


def test_a_create_is_accepted_with_the_place_of_its_status(api: Client, unique: Callable[[str], str]) -> None:
    answer = api.call("POST", "/order/create", {"userId": unique("user"), "productId": "none", "quantity": 1})

    assert answer.status_code == 202
    body = answer.json()
    assert set(body) == {"taskId", "orderId", "state", "statusUrl", "orderUrl"}
    assert body["taskId"] == body["orderId"]
    assert body["state"] == "QUEUED"
    assert answer.headers["Location"] == body["statusUrl"] == f"/task/{body['taskId']}"
    assert body["orderUrl"] == f"/orders/{body['orderId']}"


def test_an_order_is_created_from_stock(
    api: Client, stocked: Callable[[int], str], unique: Callable[[str], str], redis_client: Redis
) -> None:
    product = stocked(10)

    order = api.create(unique("user"), {"productId": product, "quantity": 3, "unitPrice": "1.25"})

    assert order["total"] == "3.75"
    assert redis_client.get(f"product:{product}:stock") == "7"
