"""Lists of orders: all, a user's, filtered, a page at a time; on an archive of 1,500 orders and 75 tombstones."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from pymongo.collection import Collection

from tests.api.archive import stored_order, tombstone
from tests.api.contract import check_order, json_of, problem
from tests.client import Client
from tests.processes import Servers, Service, service

Archive = Collection[dict[str, Any]]

COUNT = 1500
NEWEST_FIRST = [str(number) for number in reversed(range(COUNT))]
FILLER = {"filler": "x" * 15_000}
MEGABYTE = 1024


@pytest.fixture(scope="module")
def own(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    mine = Servers(servers.redis_server, servers.mongod, servers.kafka, database="archive", redis_db=12)
    mine.orders().insert_many([stored_order(number, metadata=FILLER) for number in range(COUNT)])
    mine.orders().insert_many([tombstone(number) for number in range(0, COUNT, 20)])
    with service(mine, tmp_path_factory.mktemp("archive")) as running:
        running.api()
        yield running


@pytest.fixture
def api(own: Service) -> Client:
    return Client(own.url)


@pytest.fixture
def archive(own: Service) -> Archive:
    return own.servers.orders()


def notes(answer: requests.Response) -> list[str]:
    """Return the numbers of the orders in a list, which must all be whole."""
    orders = json_of(answer)
    for order in orders:
        check_order(order)
    return [order["note"] for order in orders]


def pages(api: Client, path: str) -> Iterator[list[str]]:
    """Follow the links from this page to the last one."""
    while True:
        answer = api.get(path)
        yield notes(answer)
        if "next" not in answer.links:
            return
        assert set(answer.links) == {"next"}
        path = answer.links["next"]["url"]


def test_all_orders_come_as_one_array_newest_first(api: Client) -> None:
    answer = api.get("/order/all")

    assert notes(answer) == NEWEST_FIRST
    assert "Link" not in answer.headers


def test_all_orders_are_streamed_in_constant_memory(api: Client, own: Service) -> None:
    (worker,) = Path(f"/proc/{own.children['api'].pid}/task/{own.children['api'].pid}/children").read_text().split()
    api.get("/order/all?limit=100")  # what a first answer needs for good is not the stream's
    before = resident(worker, "VmRSS")
    Path(f"/proc/{worker}/clear_refs").write_text("5")  # the peak is counted from here

    with api.get("/order/all", stream=True) as answer:
        assert answer.headers["Transfer-Encoding"] == "chunked"
        size = sum(len(piece) for piece in answer.iter_content(100_000))

    assert size > COUNT * 15_000
    assert resident(worker, "VmHWM") - before < 32 * MEGABYTE  # reading all at once takes 96


def resident(pid: str, name: str) -> int:
    """Return a process' memory in KiB."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith(f"{name}:"))


@pytest.mark.parametrize(("limit", "count"), [(1000, 2), (500, 3), (467, 4)])
def test_links_lead_through_all_pages_and_show_each_order_once(api: Client, limit: int, count: int) -> None:
    found = list(pages(api, f"/order/all?limit={limit}"))

    assert [note for page in found for note in page] == NEWEST_FIRST
    assert [len(page) for page in found[:-1]] == [limit] * (count - 1)
    assert len(found) == count


def test_an_order_that_comes_while_somebody_pages_disturbs_no_page(api: Client, archive: Archive) -> None:
    walk = pages(api, "/order/all?limit=750")
    first = next(walk)
    newcomer = stored_order(COUNT + 1)
    archive.insert_one(newcomer)

    rest = [note for page in walk for note in page]

    archive.delete_one({"_id": newcomer["_id"]})
    assert first + rest == NEWEST_FIRST


def test_a_page_may_have_one_order_and_a_cursor_needs_no_limit(api: Client) -> None:
    first = api.get("/order/all?limit=1&userId=user-0&status=shipped")
    assert notes(first) == ["1497"]

    rest = api.get(first.links["next"]["url"].replace("limit=1&", ""))

    assert notes(rest) == [note for note in NEWEST_FIRST if int(note) % 15 == 12][1:]
    assert "Link" not in rest.headers


@pytest.mark.parametrize(
    ("path", "step", "first"),
    [
        ("/order/all?status=processing", 5, 1),
        ("/order/all?userId=user-2", 3, 2),
        ("/order/all?userId=user-1&status=confirmed", 15, 10),
        ("/order/user-1", 3, 1),
        ("/order/user-0?status=cancelled", 15, 9),
    ],
)
def test_filters_choose_with_and_without_pages(api: Client, path: str, step: int, first: int) -> None:
    chosen = [note for note in NEWEST_FIRST if int(note) % step == first]

    assert notes(api.get(path)) == chosen
    found = list(pages(api, f"{path}{'&' if '?' in path else '?'}limit=99"))
    assert [note for page in found for note in page] == chosen


@pytest.mark.parametrize("query", ["", "?limit=5", "?status=shipped"])
def test_a_user_without_orders_has_an_empty_list(api: Client, query: str) -> None:
    answer = api.get(f"/order/nobody{query}")

    assert json_of(answer) == []
    assert answer.headers["Content-Length"] == "2"  # what is short is not streamed
    assert "Link" not in answer.headers


WRONG = [
    "limit=0",
    "limit=1001",
    "limit=-1",
    "limit=x",
    "limit=",
    "limit=1.0",
    "limit=+5",
    "limit=%205",
    "limit=0x10",
    "limit=%D9%A1",
    "limit=00005",
    "limit=00000000001000000",
    "limit=" + "9" * 3000,
    "limit=5&limit=5",
    "cursor=",
    "cursor=x",
    "cursor=%FF",
    "cursor=!!!!",
    "cursor=eyJfaWQiOnsiJGd0IjoiIn19",
    "cursor=YWZ0ZXI6",
    "cursor=YWZ0ZXI6eyIkZ3QiOiIifQ",
    "cursor=YWZ0ZXI6YQ&cursor=YWZ0ZXI6YQ",
    "status=lost",
    "status=",
    "status=Shipped",
    "status=shipped&status=shipped",
    "status[$ne]=shipped",
    "colour=red",
    "Limit=5",
    "offset=5",
    "=5",
]


@pytest.mark.parametrize("path", ["/order/all", "/order/user-1"])
@pytest.mark.parametrize("query", WRONG, ids=lambda query: query[:30])
def test_a_wrong_unknown_or_repeated_parameter_is_malformed(api: Client, path: str, query: str) -> None:
    problem(api.get(f"{path}?{query}"), 400, "malformed")


@pytest.mark.parametrize("query", ["userId=", "userId=a%20b", "userId=" + "x" * 65, "userId=a&userId=a"])
def test_a_wrong_user_is_malformed(api: Client, query: str) -> None:
    problem(api.get(f"/order/all?{query}"), 400, "malformed")


def test_a_users_list_takes_no_other_user(api: Client) -> None:
    problem(api.get("/order/user-1?userId=user-1"), 400, "malformed")
