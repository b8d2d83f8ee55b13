"""One order: GET /orders/<orderId> with its timeline and ETag, GET /task/<taskId>, and the same JSON everywhere."""

from typing import Any

import pytest

from models.ids import new_id
from tests.api.contract import ORDER_FIELDS, TASK_FIELDS, TIMELINE_FIELDS, json_of, moment, problem
from tests.client import Client
from tests.topics import Topics, value


def test_an_order_is_the_same_json_wherever_it_is_shown(
    api: Client, order: dict[str, Any], user: str, topics: Topics
) -> None:
    alone = json_of(api.get(f"/orders/{order['orderId']}"))
    assert set(alone) == ORDER_FIELDS | {"timeline"}
    del alone["timeline"]

    assert alone == order  # which a task showed
    assert json_of(api.get(f"/order/{user}")) == [order]
    assert json_of(api.get(f"/order/all?userId={user}")) == [order]
    with topics.reader("user_orders") as reader:
        published = value(reader.wait_for(1, key=user)[0])
    assert published["orders"] == [order]
    assert published["reason"] == "request"


def test_the_timeline_tells_each_change_and_its_task(api: Client, order: dict[str, Any]) -> None:
    path = f"/order/{order['orderId']}"
    noted = api.write("PUT", path, {"note": "n"})["taskId"]
    rejected = api.write("PUT", path, {"status": "delivered"})
    processing = api.write("PUT", path, {"status": "processing"})["taskId"]

    shown = json_of(api.get(f"/orders/{order['orderId']}"))

    assert rejected["outcome"] == "rejected"
    assert all(set(entry) == TIMELINE_FIELDS for entry in shown["timeline"])
    assert [(entry["version"], entry["change"], entry["status"], entry["taskId"]) for entry in shown["timeline"]] == [
        (1, "created", "confirmed", order["orderId"]),
        (2, "updated", "confirmed", noted),
        (3, "updated", "processing", processing),
    ]
    times = [moment(entry["at"]) for entry in shown["timeline"]]
    assert times == sorted(times)
    assert (shown["version"], shown["updatedAt"]) == (3, shown["timeline"][-1]["at"])


def test_an_etag_is_the_version_and_spares_sending_what_is_known(api: Client, order: dict[str, Any]) -> None:
    path = f"/orders/{order['orderId']}"
    first = api.get(path)
    assert first.headers["ETag"] == '"1"'

    for known in ('"1"', 'W/"1"', '"7", "1"', "*"):
        same = api.get(path, headers={"If-None-Match": known})
        assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", '"1"')

    api.write("PUT", f"/order/{order['orderId']}", {"note": "n"})
    changed = api.get(path, headers={"If-None-Match": '"1"'})
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"2"')


def test_a_head_is_a_get_without_its_body(api: Client, order: dict[str, Any]) -> None:
    head = api.call("HEAD", f"/orders/{order['orderId']}")

    assert (head.status_code, head.content, head.headers["ETag"]) == (200, b"", '"1"')


@pytest.mark.parametrize("path", ["/orders/", "/task/"])
def test_what_nobody_accepted_is_not_found(api: Client, path: str) -> None:
    problem(api.get(path + new_id()), 404, "not-found")
    problem(api.get(path + "no-uuid"), 404, "not-found")


def test_an_order_id_is_no_user_id(api: Client, order: dict[str, Any]) -> None:
    assert json_of(api.get(f"/order/{order['orderId']}")) == []


def test_a_task_tells_how_its_write_went(api: Client, user: str, product: str) -> None:
    created = api.write("POST", "/order/create", {"userId": user, "productId": product, "quantity": 1})
    updated = api.write("PUT", f"/order/{created['orderId']}", {"note": "n"})

    for task, outcome in ((created, "created"), (updated, "updated")):
        assert set(task) == TASK_FIELDS
        assert (task["state"], task["outcome"], task["problem"]) == ("SUCCESS", outcome, None)
        assert task["orderId"] == created["orderId"]
        assert moment(task["acceptedAt"]) <= moment(task["endedAt"])


def test_a_task_shows_the_order_as_it_is_now(api: Client, order: dict[str, Any]) -> None:
    updated = api.write("PUT", f"/order/{order['orderId']}", {"note": "second"})["order"]

    assert json_of(api.get(f"/task/{order['orderId']}"))["order"] == updated


def test_a_record_lives_a_day_from_its_end(api: Client, order: dict[str, Any], redis_client: Any) -> None:
    left = redis_client.ttl(f"celery-task-meta-{order['orderId']}")

    assert 86_400 - 60 < left <= 86_400
