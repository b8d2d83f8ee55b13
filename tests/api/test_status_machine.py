"""The status of an order: confirmed, processing, shipped, delivered; cancelled from the first two; nothing else."""

from itertools import product as pairs
from typing import Any

import pytest

from tests.api.contract import STATUSES, check_problem
from tests.client import Client

WAY_TO = {
    "confirmed": (),
    "processing": ("processing",),
    "shipped": ("processing", "shipped"),
    "delivered": ("processing", "shipped", "delivered"),
    "cancelled": ("cancelled",),
}
ALLOWED = {
    ("confirmed", "processing"),
    ("confirmed", "cancelled"),
    ("processing", "shipped"),
    ("processing", "cancelled"),
    ("shipped", "delivered"),
}
FORBIDDEN = sorted(set(pairs(STATUSES, repeat=2)) - ALLOWED - {(status, status) for status in STATUSES})


def bring(api: Client, order: dict[str, Any], status: str) -> dict[str, Any]:
    """Return the order as it is once it has this status."""
    path = f"/order/{order['orderId']}"
    tasks = [api.accepted("PUT", path, {"status": step})["taskId"] for step in WAY_TO[status]]
    return {**order, **api.ended(tasks[-1])["order"]} if tasks else order


@pytest.mark.parametrize(("before", "after"), sorted(ALLOWED))
def test_a_status_that_follows_is_taken(api: Client, order: dict[str, Any], before: str, after: str) -> None:
    order = bring(api, order, before)

    task = api.write("PUT", f"/order/{order['orderId']}", {"status": after})

    assert task["outcome"] == "updated"
    assert (task["order"]["status"], task["order"]["version"]) == (after, order["version"] + 1)


@pytest.mark.parametrize(("before", "after"), FORBIDDEN)
def test_a_status_that_does_not_follow_is_refused(api: Client, order: dict[str, Any], before: str, after: str) -> None:
    order = bring(api, order, before)

    task = api.write("PUT", f"/order/{order['orderId']}", {"status": after, "note": "not taken either"})

    assert (task["state"], task["outcome"], task["order"]) == ("SUCCESS", "rejected", None)
    check_problem(task["problem"], 409, "invalid-transition")
    assert api.get(f"/order/{order['userId']}").json() == [order]


@pytest.mark.parametrize("status", ["processing", "shipped", "delivered", "cancelled"])
def test_items_change_only_while_confirmed(api: Client, order: dict[str, Any], product: str, status: str) -> None:
    order = bring(api, order, status)

    task = api.write("PUT", f"/order/{order['orderId']}", {"productId": product, "quantity": 1})

    assert task["outcome"] == "rejected"
    check_problem(task["problem"], 409, "invalid-transition")
    assert api.get(f"/order/{order['userId']}").json() == [order]


@pytest.mark.parametrize("status", STATUSES)
def test_what_a_customer_wrote_changes_in_any_status(api: Client, order: dict[str, Any], status: str) -> None:
    order = bring(api, order, status)

    changed = api.write("PUT", f"/order/{order['orderId']}", {"note": "later", "metadata": {"a": 1}})["order"]

    assert (changed["note"], changed["metadata"], changed["status"]) == ("later", {"a": 1}, status)


def test_items_and_status_may_change_together(api: Client, order: dict[str, Any], product: str) -> None:
    body = {"productId": product, "quantity": 9, "status": "processing"}

    changed = api.write("PUT", f"/order/{order['orderId']}", body)["order"]

    assert (changed["status"], changed["items"][0]["quantity"]) == ("processing", 9)
