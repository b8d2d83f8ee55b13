"""DELETE /order/<orderId>: what it answers, and how an order reads that is gone."""

from typing import Any

from models.ids import new_id
from tests.api.contract import ACCEPTED_FIELDS, json_of, problem
from tests.client import Client


def test_a_delete_is_accepted_with_a_task_of_its_own(api: Client, order: dict[str, Any]) -> None:
    answer = api.call("DELETE", f"/order/{order['orderId']}")

    body = json_of(answer, 202)
    assert set(body) == ACCEPTED_FIELDS
    assert body["orderId"] == order["orderId"] != body["taskId"]
    assert body["state"] == "QUEUED"
    assert answer.headers["Location"] == body["statusUrl"] == f"/task/{body['taskId']}"


def test_a_delete_ends_as_deleted_without_an_order(api: Client, order: dict[str, Any]) -> None:
    task = api.write("DELETE", f"/order/{order['orderId']}")

    assert (task["state"], task["outcome"]) == ("SUCCESS", "deleted")
    assert (task["order"], task["problem"]) == (None, None)


def test_reads_answer_as_if_a_deleted_order_were_gone(api: Client, order: dict[str, Any], user: str) -> None:
    api.write("DELETE", f"/order/{order['orderId']}")

    problem(api.get(f"/orders/{order['orderId']}"), 404, "not-found")
    assert json_of(api.get(f"/order/{user}")) == []
    assert json_of(api.get(f"/order/all?userId={user}")) == []
    created = api.get(f"/task/{order['orderId']}").json()
    assert (created["outcome"], created["order"]) == ("created", None)


def test_a_tombstone_stays_behind_a_deleted_order(api: Client, order: dict[str, Any], orders: Any) -> None:
    api.write("PUT", f"/order/{order['orderId']}", {"status": "processing"})
    task = api.write("DELETE", f"/order/{order['orderId']}")

    tombstone = orders.find_one({"_id": order["orderId"]})

    assert tombstone["deletedAt"] == tombstone["updatedAt"] == tombstone["timeline"][-1]["at"]
    assert (tombstone["status"], tombstone["version"]) == ("processing", 3)
    assert tombstone["timeline"][-1]["change"] == "deleted"
    assert tombstone["timeline"][-1]["taskId"] == task["taskId"]


def test_an_order_can_be_deleted_only_once(api: Client, order: dict[str, Any]) -> None:
    api.write("DELETE", f"/order/{order['orderId']}")

    problem(api.call("DELETE", f"/order/{order['orderId']}"), 404, "not-found")


def test_an_order_nobody_accepted_can_not_be_deleted(api: Client) -> None:
    problem(api.call("DELETE", f"/order/{new_id()}"), 404, "not-found")


def test_an_order_whose_create_was_rejected_can_not_be_deleted(api: Client, user: str) -> None:
    rejected = api.write("POST", "/order/create", {"userId": user, "productId": "none", "quantity": 1})

    problem(api.call("DELETE", f"/order/{rejected['orderId']}"), 404, "not-found")
    problem(api.get(f"/orders/{rejected['orderId']}"), 404, "not-found")
