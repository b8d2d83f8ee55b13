"""`If-Match`: a write that happens to the version that its caller has seen, or not at all."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.contract import json_of, problem
from tests.client import Client
from tests.processes import Servers, Service, service


def call(api: Client, method: str, path: str, if_match: str) -> Any:
    return api.call(method, path, {"note": "n"} if method == "PUT" else None, headers={"If-Match": if_match})


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("tags", ['"1"', "*", '"7", "1"', '"x","1"', 'W/"1", "1"'])
def test_a_write_to_the_version_that_is_stored_is_accepted(
    api: Client, order: dict[str, Any], method: str, tags: str
) -> None:
    accepted = json_of(call(api, method, f"/order/{order['orderId']}", tags), 202)

    assert api.ended(accepted["taskId"])["outcome"] in {"updated", "deleted"}


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("tags", ['"2"', '"0"', '"01"', '"-1"', '"1.0"', '"x"', '""', 'W/"1"', '"2", "3"'])
def test_a_write_to_another_version_is_refused_at_once(
    api: Client, order: dict[str, Any], method: str, tags: str
) -> None:
    problem(call(api, method, f"/order/{order['orderId']}", tags), 412, "precondition-failed")

    assert json_of(api.get(f"/orders/{order['orderId']}"))["version"] == 1


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize(
    "wrong", ["1", "", '"1', '1"', '"1" "2"', '"1",', '"1"; "2"', "*, *", '"*", *', 'w/"1"', "'1'"]
)
def test_what_is_no_list_of_tags_is_malformed(api: Client, order: dict[str, Any], method: str, wrong: str) -> None:
    assert "If-Match" in problem(call(api, method, f"/order/{order['orderId']}", wrong), 400, "malformed")["detail"]


def test_the_etag_of_a_read_fits(api: Client, order: dict[str, Any]) -> None:
    path = f"/order/{order['orderId']}"
    seen = api.get(f"/orders/{order['orderId']}").headers["ETag"]
    api.ended(json_of(call(api, "PUT", path, seen), 202)["taskId"])

    problem(call(api, "PUT", path, seen), 412, "precondition-failed")
    json_of(call(api, "PUT", path, api.get(f"/orders/{order['orderId']}").headers["ETag"]), 202)


def test_an_order_that_does_not_exist_is_not_found(api: Client) -> None:
    problem(call(api, "PUT", "/order/nobody", '"1"'), 404, "not-found")
    problem(call(api, "DELETE", "/order/nobody", "*"), 404, "not-found")


@pytest.fixture(scope="module")
def unworked(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An API without a worker: what it accepts stays in the queue."""
    mine = Servers(servers.redis_server, servers.mongod, servers.kafka, database="if_match", redis_db=12)
    with service(mine, tmp_path_factory.mktemp("if-match")) as running:
        running.api()
        yield running


@pytest.mark.parametrize(
    ("tags", "carried"), [('"1"', 1), ('"4"', 4), ('"5", "3"', 3), ('"x", "1"', 1), ("*", None), (None, None)]
)
def test_a_message_carries_the_version_for_the_look_in_its_turn(
    unworked: Service, tags: str | None, carried: int | None
) -> None:
    api = Client(unworked.url)
    # Not stored yet: which version the write will find, only its turn can show.
    order_id = api.accepted("POST", "/order/create", {"userId": "u", "productId": "p", "quantity": 1})["orderId"]
    headers = {} if tags is None else {"If-Match": tags}

    json_of(api.call("PUT", f"/order/{order_id}", {"note": "n"}, headers=headers), 202)

    (waiting,) = unworked.servers.redis_client().lrange(f"order:{order_id}:waiting", 0, -1)
    _, kwargs, _ = json.loads(base64.b64decode(json.loads(waiting)["body"]))
    assert kwargs.get("if_match") == carried
    assert ("if_match" in kwargs) == (carried is not None)


def test_a_tag_that_no_version_has_is_refused_before_the_order_is_stored(unworked: Service) -> None:
    api = Client(unworked.url)
    order_id = api.accepted("POST", "/order/create", {"userId": "u", "productId": "p", "quantity": 1})["orderId"]

    problem(call(api, "PUT", f"/order/{order_id}", 'W/"1", "x"'), 412, "precondition-failed")
