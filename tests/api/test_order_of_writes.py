"""Writes sent without waiting for one another: accepted at once, carried out in the order in which they were accepted.

The worker is held (SIGSTOP) while they are sent, so that none of them has been carried out when the next one comes.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from tests.api.contract import TASK_FIELDS, check_problem, json_of, problem
from tests.client import Client
from tests.processes import Servers, Service, service

ORDER = {"userId": "someone", "productId": "plenty", "quantity": 1}


@pytest.fixture(scope="module")
def own(servers: Servers, shop: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An API and one worker; the shop has made the topics."""
    mine = Servers(servers.redis_server, servers.mongod, servers.kafka, database="writes", redis_db=11)
    mine.redis_client().set("product:plenty:stock", 1_000_000)
    with service(mine, tmp_path_factory.mktemp("writes")) as running:
        running.api()
        running.worker("orders")
        yield running


@pytest.fixture
def api(own: Service) -> Client:
    return Client(own.url)


@pytest.fixture
def held(own: Service) -> Callable[[], AbstractContextManager[None]]:
    """Return how to have no worker for as long as a block lasts."""

    @contextmanager
    def hold() -> Iterator[None]:
        worker = own.children["worker-orders"]
        worker.pause()
        try:
            yield
        finally:
            worker.resume()

    return hold


Hold = Callable[[], AbstractContextManager[None]]


def test_an_accepted_write_is_queued_until_its_turn_comes(api: Client, held: Hold) -> None:
    with held():
        order_id = api.accepted("POST", "/order/create", ORDER)["orderId"]
        task = json_of(api.get(f"/task/{order_id}"))
        problem(api.get(f"/orders/{order_id}"), 404, "not-found")
        assert json_of(api.get("/order/someone-else")) == []

    assert set(task) == TASK_FIELDS
    assert (task["taskId"], task["orderId"], task["state"]) == (order_id, order_id, "QUEUED")
    assert [task[name] for name in ("outcome", "order", "problem", "endedAt")] == [None] * 4
    assert api.ended(order_id)["outcome"] == "created"


def test_an_update_right_after_its_create_ends_as_updated(api: Client, held: Hold) -> None:
    with held():
        order_id = api.accepted("POST", "/order/create", ORDER)["orderId"]
        task_id = api.accepted("PUT", f"/order/{order_id}", {"note": "at once", "status": "processing"})["taskId"]

    updated = api.ended(task_id)

    assert updated["outcome"] == "updated"
    order = updated["order"]
    assert (order["version"], order["note"], order["status"]) == (2, "at once", "processing")


def test_writes_race_their_predecessor_and_never_overtake_it(api: Client) -> None:
    for _ in range(10):
        order_id = api.accepted("POST", "/order/create", ORDER)["orderId"]
        update = api.accepted("PUT", f"/order/{order_id}", {"note": "at once"})
        delete = api.accepted("DELETE", f"/order/{order_id}")

        assert api.ended(update["taskId"])["outcome"] == "updated"
        assert api.ended(delete["taskId"])["outcome"] == "deleted"


def test_twenty_updates_end_in_the_order_in_which_they_were_accepted(api: Client, held: Hold) -> None:
    with held():
        order_id = api.accepted("POST", "/order/create", ORDER)["orderId"]
        task_ids = [
            api.accepted("PUT", f"/order/{order_id}", {"note": f"{number}"})["taskId"] for number in range(1, 21)
        ]

    last = api.ended(task_ids[-1])["order"]

    assert (last["note"], last["version"]) == ("20", 21)
    timeline = json_of(api.get(f"/orders/{order_id}"))["timeline"]
    assert [entry["taskId"] for entry in timeline] == [order_id, *task_ids]


def test_a_change_accepted_behind_a_delete_finds_the_order_gone(api: Client, held: Hold) -> None:
    order_id = api.write("POST", "/order/create", ORDER)["orderId"]
    with held():
        delete = api.accepted("DELETE", f"/order/{order_id}")["taskId"]
        late = [
            api.accepted("PUT", f"/order/{order_id}", {"note": "too late"})["taskId"],
            api.accepted("DELETE", f"/order/{order_id}")["taskId"],
        ]

    assert api.ended(delete)["outcome"] == "deleted"
    for task_id in late:
        task: dict[str, Any] = api.ended(task_id)
        assert (task["state"], task["outcome"], task["order"]) == ("SUCCESS", "rejected", None)
        check_problem(task["problem"], 404, "not-found")


def test_a_change_accepted_behind_a_create_that_is_rejected_finds_no_order(api: Client, held: Hold) -> None:
    with held():
        order_id = api.accepted("POST", "/order/create", {**ORDER, "productId": "none"})["orderId"]
        task_id = api.accepted("PUT", f"/order/{order_id}", {"note": "n"})["taskId"]

    task = api.ended(task_id)

    assert task["outcome"] == "rejected"
    check_problem(task["problem"], 404, "not-found")


def test_a_status_that_another_write_has_made_impossible_is_refused_in_its_turn(api: Client, held: Hold) -> None:
    order_id = api.write("POST", "/order/create", ORDER)["orderId"]
    with held():
        cancel = api.accepted("PUT", f"/order/{order_id}", {"status": "cancelled"})["taskId"]
        process = api.accepted("PUT", f"/order/{order_id}", {"status": "processing"})["taskId"]

    assert api.ended(cancel)["outcome"] == "updated"
    check_problem(api.ended(process)["problem"], 409, "invalid-transition")
