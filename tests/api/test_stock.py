"""What changes of an order do to stock, as any other program reads it in Redis."""

from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from tests.api.contract import check_problem
from tests.api.test_status_machine import bring
from tests.client import Client
from tests.processes import eventually
from tests.topics import Topics

Stocked = Callable[[int], str]


@pytest.fixture
def left(redis_client: Redis) -> Callable[[str], int | None]:
    """Return how many units of a product can be ordered now."""

    def units(product: str) -> int | None:
        found: Any = redis_client.get(f"product:{product}:stock")
        return None if found is None else int(found)

    return units


def an_order(api: Client, user: str, product: str, units: int = 4) -> dict[str, Any]:
    return api.create(user, {"productId": product, "quantity": units})


@pytest.mark.parametrize("status", ["confirmed", "processing"])
def test_cancelling_gives_the_stock_back(
    api: Client, user: str, stocked: Stocked, left: Callable[[str], int | None], status: str
) -> None:
    bought = stocked(10)
    order = bring(api, an_order(api, user, bought), status)
    assert left(bought) == 6

    api.write("PUT", f"/order/{order['orderId']}", {"status": "cancelled"})

    assert left(bought) == 10


@pytest.mark.parametrize(
    ("status", "afterwards"),
    [("confirmed", 10), ("processing", 10), ("shipped", 6), ("delivered", 6), ("cancelled", 10)],
)
def test_deleting_gives_back_what_has_not_shipped_and_only_once(
    api: Client, user: str, stocked: Stocked, left: Callable[[str], int | None], status: str, afterwards: int
) -> None:
    bought = stocked(10)
    order = bring(api, an_order(api, user, bought), status)

    api.write("DELETE", f"/order/{order['orderId']}")

    assert left(bought) == afterwards


def test_fewer_items_give_back_and_more_take(
    api: Client, user: str, stocked: Stocked, left: Callable[[str], int | None]
) -> None:
    bought = stocked(10)
    path = f"/order/{an_order(api, user, bought)['orderId']}"

    api.write("PUT", path, {"productId": bought, "quantity": 1})
    assert left(bought) == 9
    api.write("PUT", path, {"productId": bought, "quantity": 10})
    assert left(bought) == 0


def test_more_items_than_there_are_change_nothing(
    api: Client, user: str, stocked: Stocked, left: Callable[[str], int | None]
) -> None:
    bought, other = stocked(10), stocked(5)
    order = an_order(api, user, bought)
    items = [{"productId": bought, "quantity": 11}, {"productId": other, "quantity": 1}]

    task = api.write("PUT", f"/order/{order['orderId']}", {"items": items})

    assert task["outcome"] == "rejected"
    check_problem(task["problem"], 409, "insufficient-stock")
    assert task["problem"]["items"] == [{"productId": bought, "requested": 7, "available": 6}]
    assert (left(bought), left(other)) == (6, 5)
    assert api.get(f"/order/{user}").json() == [order]


def test_other_items_give_back_the_old_and_take_the_new(
    api: Client, user: str, stocked: Stocked, left: Callable[[str], int | None]
) -> None:
    bought, other = stocked(10), stocked(5)
    order = an_order(api, user, bought)

    api.write("PUT", f"/order/{order['orderId']}", {"productId": other, "quantity": 5})

    assert (left(bought), left(other)) == (10, 0)


def test_cancelling_with_other_items_gives_back_what_was_taken(
    api: Client, user: str, stocked: Stocked, left: Callable[[str], int | None]
) -> None:
    bought, other = stocked(10), stocked(5)
    order = an_order(api, user, bought)

    api.write("PUT", f"/order/{order['orderId']}", {"status": "cancelled", "productId": other, "quantity": 2})

    assert (left(bought), left(other)) == (10, 5)


def test_a_level_keeps_an_order_s_units_held_until_it_names_the_order(
    api: Client, user: str, stocked: Stocked, left: Callable[[str], int | None], topics: Topics
) -> None:
    bought = stocked(10)
    order = an_order(api, user, bought)

    topics.level(bought, 20)
    eventually(lambda: left(bought) == 16)
    topics.level(bought, 15, orderId=order["orderId"])

    eventually(lambda: left(bought) == 15)
    assert "takes" not in api.get(f"/orders/{order['orderId']}").json()["timeline"][0]


def test_a_product_removed_meanwhile_stays_away_until_a_new_level_comes(
    api: Client, user: str, stocked: Stocked, left: Callable[[str], int | None], topics: Topics
) -> None:
    removed = stocked(10)
    cancelled, kept = an_order(api, user, removed), an_order(api, user, removed)
    topics.send("product_events", None, removed)
    eventually(lambda: left(removed) is None)

    assert api.write("PUT", f"/order/{cancelled['orderId']}", {"status": "cancelled"})["outcome"] == "updated"
    more = api.write("PUT", f"/order/{kept['orderId']}", {"productId": removed, "quantity": 5})
    check_problem(more["problem"], 409, "unknown-product")
    fewer = api.write("PUT", f"/order/{kept['orderId']}", {"productId": removed, "quantity": 3})
    assert fewer["outcome"] == "updated"
    assert left(removed) is None

    # Both orders' units are held until a level says that it includes them.
    events = [f"{order['orderId']}:1" for order in (cancelled, kept)]
    topics.level(removed, 20, events=events[:1])
    eventually(lambda: left(removed) == 16)
    topics.level(removed, 20, events=events)
    eventually(lambda: left(removed) == 20)
    assert an_order(api, user, removed)["items"][0]["quantity"] == 4
