"""Events that can't be sent are listed, shown, sent again and given up by command."""

import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

import pytest
from pymongo.collection import Collection
from redis import Redis

from models import transitions
from models.ids import new_id
from models.lost_stock import holds_of
from models.order import OrderDocument, make_indexes
from models.writes import Write
from tests.processes import Servers, Service, eventually, service
from tests.topics import Topics, headers

LONG_AGO = datetime(2026, 1, 2, tzinfo=UTC)
SECRET = "Rosenweg 7b"
Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def own(servers: Servers) -> Servers:
    return Servers(servers.redis_server, servers.mongod, servers.kafka, database="parked_events", redis_db=14)


@pytest.fixture
def redis(own: Servers) -> Redis:
    client = own.redis_client()
    client.flushdb()
    own.orders().delete_many({})
    return client


@pytest.fixture
def running(own: Servers, redis: Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    own.make_topics()
    make_indexes(cast("Collection[OrderDocument]", own.orders()))
    with service(own, tmp_path_factory.mktemp("running"), WORKER_CONCURRENCY="1") as started:
        yield started


@pytest.fixture
def command(running: Service) -> Command:
    return partial(running.run, "tasks", "events")


def with_parked(own: Servers, later: bool = False) -> str:
    """Store an order whose first event is parked; with `later`, its second one waits to be sent."""
    order_id = new_id()
    body = {"userId": "user-1", "items": [{"productId": "p", "quantity": 2}], "currency": "EUR"}
    order = transitions.create(Write(order_id, order_id, "create", body, LONG_AGO), LONG_AGO).order
    if later:
        made = transitions.update(order, Write(new_id(), order_id, "update", {"note": "n"}, LONG_AGO), LONG_AGO)
        assert isinstance(made, transitions.Transition)
        order = made.order
    stored: Any = dict(order)
    event = stored["outbox"].pop(0)
    event["order"]["note"] = SECRET
    stored["parkedEvents"] = [{"id": event["id"], "reason": "MSG_SIZE_TOO_LARGE", "event": event}]
    own.orders().insert_one({**stored, "publishedAt": LONG_AGO})
    return order_id


def test_they_are_listed_and_shown_without_what_a_customer_wrote(own: Servers, redis: Redis, command: Command) -> None:
    event_id = f"{with_parked(own)}:1"

    listed, shown, whole = (
        command(*words).stdout for words in (("list",), ("show", event_id), ("show", event_id, "--body"))
    )

    for text in (listed, shown, whole):
        assert event_id in text
        assert "order_created" in text
        assert "MSG_SIZE_TOO_LARGE" in text
    assert SECRET not in listed + shown
    assert SECRET in whole
    missing = command("show", "nobody:1")
    assert (missing.returncode, missing.stderr) == (1, "nobody:1: there is no nobody:1\n")
    assert command("requeue").returncode == 2


def test_a_requeued_event_is_sent_before_the_later_ones(
    own: Servers, redis: Redis, running: Service, command: Command
) -> None:
    order_id = with_parked(own, later=True)

    done = command("requeue", f"{order_id}:1", f"{order_id}:2")

    assert (done.returncode, done.stdout) == (1, f"requeued {order_id}:1\n")
    assert redis.hget("counts", "events_requeued") == "1"
    stored: Any = own.orders().find_one({"_id": order_id})
    assert [event["id"] for event in stored["outbox"]] == [f"{order_id}:1", f"{order_id}:2"]
    assert stored["parkedEvents"] == []
    running.worker("publish")
    running.beat()
    with Topics(own.kafka.bootstrap).reader("order_created", "order_updated") as reader:
        found = {headers(each)["ce_id"]: each.timestamp()[1] for each in reader.wait_for(2, key=order_id)}
    assert found[f"{order_id}:1"] <= found[f"{order_id}:2"]
    eventually(lambda: (own.orders().find_one({"_id": order_id}) or {}).get("outbox") == [])


def test_a_discarded_event_is_never_sent_and_its_units_stay_held(own: Servers, redis: Redis, command: Command) -> None:
    first, second = with_parked(own), with_parked(own)
    before = [next(holds_of(cast(Any, own.orders().find_one({"_id": each})))) for each in (first, second)]

    done = command("discard", "--all")

    assert (done.returncode, sorted(done.stdout.splitlines())) == (
        0,
        sorted(f"discarded {each}:1" for each in (first, second)),
    )
    assert redis.hget("counts", "events_discarded") == "2"
    for order_id, hold in zip((first, second), before, strict=True):
        stored: Any = own.orders().find_one({"_id": order_id})
        assert (stored["parkedEvents"], stored["outbox"], stored["discardedEvents"]) == ([], [], [f"{order_id}:1"])
        assert hold.at is None
        assert next(holds_of(stored)).at is None
    assert command("list").stdout.splitlines() == ["ID  TOPIC  ORDER  MADE AT  PARKED AT  WHY"]
    again = command("discard", f"{first}:1")
    assert (again.returncode, again.stderr) == (1, f"{first}:1: there is no {first}:1\n")


def test_the_list_reads_parked_events_by_their_index(own: Servers, running: Service) -> None:
    explained: Any = own.orders().find({"parkedEvents.id": {"$exists": True}}).explain()

    assert "parked_events" in str(explained["queryPlanner"]["winningPlan"])
