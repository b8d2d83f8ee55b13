"""How MongoDB finds what is listed and swept: its own profiler is asked, while the service does it, on 3,000 orders."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from pymongo.collection import Collection
from pymongo.database import Database

from models.order import OrderDocument, make_indexes
from tests.api.archive import stored_order, tombstone
from tests.client import Client
from tests.processes import Servers, Service, eventually, service

Entry = dict[str, Any]

COUNT = 3000
DELETED = 30
CURSOR = "cursor=YWZ0ZXI6MDE5Yjc3MDYtMDAwMC03MDAwLTgwMDAtMDAwMDAwMDAwMDAw"
LONG_AGO = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def own(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    mine = Servers(servers.redis_server, servers.mongod, servers.kafka, database="plans", redis_db=12)
    mine.make_topics()
    make_indexes(cast("Collection[OrderDocument]", mine.orders()))
    mine.orders().insert_many([stored_order(number) for number in range(COUNT)])
    mine.orders().insert_many([tombstone(number) for number in range(DELETED)])
    with service(mine, tmp_path_factory.mktemp("plans")) as running:
        running.api()
        yield running


@pytest.fixture
def profiled(own: Service) -> Iterator["Database[Entry]"]:
    """Have MongoDB note how it carries out whatever it is asked."""
    database = own.servers.orders().database
    database.drop_collection("system.profile")
    database.command("profile", 2)
    yield database
    database.command("profile", 0)


def noted(database: "Database[Entry]", **wanted: Any) -> list[Entry]:
    about_orders = {"ns": f"{database.name}.orders", **wanted}
    return eventually(lambda: list(database["system.profile"].find(about_orders)))


def check(entries: list[Entry], index: str, spare: int) -> None:
    """Check that nothing was sorted, and hardly more looked at than was returned."""
    for entry in entries:
        assert entry["planSummary"] == f"IXSCAN {index}", entry["planSummary"]
        assert "hasSortStage" not in entry
        assert entry["keysExamined"] <= entry["nreturned"] + spare
        assert entry["docsExamined"] <= entry["nreturned"] + spare


BY_ID, BY_USER, BY_STATUS = "{ _id: 1 }", "{ userId: 1, _id: -1 }", "{ status: 1, _id: -1 }"


@pytest.mark.parametrize(
    ("path", "index"),
    [
        ("/order/all", BY_ID),
        ("/order/all?limit=100", BY_ID),
        (f"/order/all?limit=100&{CURSOR}", BY_ID),
        ("/order/all?userId=user-1", BY_USER),
        (f"/order/all?userId=user-1&limit=100&{CURSOR}", BY_USER),
        ("/order/user-2", BY_USER),
        ("/order/user-2?limit=10", BY_USER),
        ("/order/all?status=shipped", BY_STATUS),
        (f"/order/all?status=shipped&limit=100&{CURSOR}", BY_STATUS),
    ],
)
def test_a_list_is_read_in_the_order_of_an_index(
    own: Service, profiled: "Database[Entry]", path: str, index: str
) -> None:
    count = len(Client(own.url).get(path).json())

    found = noted(profiled, op={"$in": ["query", "getmore"]})

    assert sum(entry["nreturned"] for entry in found) >= count > 0
    assert all(entry["op"] == "query" for entry in found)  # a cursor's queries have one time limit for all of them
    check(found, index, DELETED + 1)


def test_two_filters_together_still_sort_nothing(own: Service, profiled: "Database[Entry]") -> None:
    Client(own.url).get("/order/user-0?status=shipped&limit=50")

    (found,) = noted(profiled, op="query")

    assert found["planSummary"] in {f"IXSCAN {BY_USER}", f"IXSCAN {BY_STATUS}"}
    assert "hasSortStage" not in found
    assert found["keysExamined"] <= 5 * 51  # each user's orders have five statuses, each status' three users


def test_the_sweep_looks_only_at_orders_that_have_something_to_send(own: Service, profiled: "Database[Entry]") -> None:
    late = stored_order(COUNT + 1)
    event = {"id": f"{late['_id']}:1", "topic": "order_created", "at": LONG_AGO, "order": {"userId": "user-1"}}
    own.servers.orders().insert_one(late | {"outbox": [event]})
    own.worker("publish")
    own.beat()

    eventually(lambda: own.servers.orders().find_one({"_id": late["_id"], "outbox": []}))

    def swept() -> list[Entry]:
        found = noted(profiled, appName="order-service", op={"$in": ["query", "command"]})
        return [entry for entry in found if "outbox.at" in str(entry["command"].get("filter", ""))]

    eventually(lambda: len(swept()) >= 2)  # the orders that wait, and since when they do
    check(swept(), "{ outbox.at: 1 }", 1)
