"""Writes that wait together are committed together, and one bad write among them harms no other."""

import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from models.ids import new_id
from models.writes import Write
from tasks.accept import Submission, accept
from tests.processes import Servers, Service, eventually, service
from tests.tasks.poisoned_worker import DEADLY
from tests.topics import Topics, headers


@pytest.fixture(scope="module")
def own(servers: Servers) -> Servers:
    """A database and a Redis of our own on the servers of the run."""
    found = Servers(servers.redis_server, servers.mongod, servers.kafka, database="groups", redis_db=6)
    found.make_topics()
    return found


@pytest.fixture
def running(own: Servers, tmp_path: Path) -> Iterator[Service]:
    """A service without processes; a test starts its workers once the queue is full."""
    own.redis_client().flushdb()
    with service(own, tmp_path, WORKER_CONCURRENCY="1") as started:
        yield started


def queue_up(own: Servers, product: str, count: int, **more: Any) -> list[str]:
    """Accept so many creates as the API would; return their ids."""
    ids = []
    for _ in range(count):
        order_id = new_id()
        body = {"userId": "user-1", "items": [{"productId": product, "quantity": 1}], "currency": "USD", **more}
        write = Write(order_id, order_id, "create", body, datetime.now(UTC))
        accept(own.redis_client(), Submission(write, exists=True))
        ids.append(order_id)
    return ids


def records(own: Servers, ids: list[str]) -> list[dict[str, Any]]:
    return [json.loads(text) for text in own.redis_client().mget([f"celery-task-meta-{each}" for each in ids]) if text]


def all_ended(own: Servers, ids: list[str], within: float = 30) -> list[dict[str, Any]]:
    def ended() -> bool:
        return all(record["status"] in {"SUCCESS", "FAILURE"} for record in records(own, ids))

    eventually(ended, within=within)
    eventually(lambda: own.redis_client().hlen("unacked") == 0)
    return records(own, ids)


def counted(own: Servers, name: str) -> int:
    return int(own.redis_client().hget("counts", name) or 0)


def test_what_waits_together_is_stored_by_few_commands(
    own: Servers, running: Service, unique: Callable[[str], str]
) -> None:
    product = unique("product")
    own.redis_client().set(f"product:{product}:stock", 1000)
    ids = queue_up(own, product, 300)

    def inserts() -> int:
        status: Any = own.orders().database.command("serverStatus")
        return int(status["metrics"]["commands"]["insert"]["total"])

    before = inserts()
    running.worker("orders")

    assert {record["result"]["outcome"] for record in all_ended(own, ids)} == {"created"}
    assert inserts() - before <= 30
    assert counted(own, "messages_restored") == 0  # each was acknowledged with its result
    eventually(lambda: own.orders().count_documents({"_id": {"$in": ids}, "outbox": []}) == 300)
    assert own.redis_client().get(f"product:{product}:stock") == "700"


def test_one_write_that_can_t_be_carried_out_is_parked_and_249_end_well(
    own: Servers, running: Service, topics: Topics, unique: Callable[[str], str]
) -> None:
    product = unique("product")
    own.redis_client().set(f"product:{product}:stock", 1000)
    good = queue_up(own, product, 125)
    (bad,) = queue_up(own, product, 1, items=None)
    good += queue_up(own, product, 124)

    running.worker("orders")

    assert [record["result"]["outcome"] for record in all_ended(own, good)] == ["created"] * 249
    (parked,) = all_ended(own, [bad])
    assert parked["status"] == "FAILURE"
    assert parked["problem"]["type"] == "parked"
    entry = json.loads(own.redis_client().hget("parked", bad) or "{}")
    assert json.loads(entry["message"])["headers"]["id"] == bad
    assert entry["queue"] == "orders"
    assert counted(own, "batches_halved") > 0
    assert counted(own, "writes_parked") == 1
    assert own.redis_client().get(f"product:{product}:stock") == str(1000 - 249)
    with topics.reader("order_created") as reader:
        ours = [headers(message)["ce_id"] for message in reader.drain() if headers(message).get("ce_subject") in good]
    assert sorted(ours) == sorted(f"{order_id}:1" for order_id in good)


def test_one_write_that_kills_its_process_is_parked_at_its_third_start_and_249_end_well(
    own: Servers, running: Service, unique: Callable[[str], str]
) -> None:
    product = unique("product")
    own.redis_client().set(f"product:{product}:stock", 1000)
    good = queue_up(own, product, 125)
    (deadly,) = queue_up(own, product, 1, note=DEADLY)
    good += queue_up(own, product, 124)

    running.start(
        "worker-poisoned", "python", "-m", "tests.tasks.poisoned_worker", "worker", "-Q", "orders", "--without-mingle"
    )

    assert [record["result"]["outcome"] for record in all_ended(own, good, within=60)] == ["created"] * 249
    (parked,) = all_ended(own, [deadly], within=60)
    assert parked["problem"]["type"] == "parked"
    assert json.loads(own.redis_client().hget("parked", deadly) or "{}")["starts"] == 3
    assert own.orders().find_one({"_id": deadly}) is None
    assert own.redis_client().get(f"product:{product}:stock") == str(1000 - 249)


def test_each_write_of_a_batch_has_its_own_events(own: Servers, running: Service, unique: Callable[[str], str]) -> None:
    product = unique("product")
    own.redis_client().set(f"product:{product}:stock", 1000)
    ids = queue_up(own, product, 60)
    listener = own.redis_client().pubsub()  # type: ignore[no-untyped-call]
    listener.psubscribe("/6.celeryev/*")
    running.worker("orders")
    all_ended(own, ids)

    seen: dict[str, set[str]] = {}

    def all_seen() -> bool:
        _hear(listener, seen)
        return set(ids) <= seen.keys() and all("task-succeeded" in types for types in seen.values())

    eventually(all_seen)
    assert all({"task-received", "task-started", "task-succeeded"} <= seen[order_id] for order_id in ids)


def test_a_worker_that_ends_sends_its_last_events(own: Servers, running: Service, unique: Callable[[str], str]) -> None:
    product = unique("product")
    own.redis_client().set(f"product:{product}:stock", 1000)
    listener = own.redis_client().pubsub()  # type: ignore[no-untyped-call]
    listener.psubscribe("/6.celeryev/*")
    worker = running.worker("orders")
    ids = queue_up(own, product, 5)
    all_ended(own, ids)

    worker.stop()

    seen: dict[str, set[str]] = {}
    _hear(listener, seen)
    assert all("task-succeeded" in seen.get(order_id, ()) for order_id in ids)


def _hear(listener: Any, seen: dict[str, set[str]]) -> None:
    """Note the events that have come, by task."""
    while message := listener.get_message(timeout=0.2):
        for event in _events(json.loads(message["data"])) if message["type"] == "pmessage" else []:
            if "uuid" in event:
                seen.setdefault(event["uuid"], set()).add(event["type"])


def _events(envelope: dict[str, Any]) -> list[dict[str, Any]]:
    body = json.loads(b64decode(envelope["body"]))
    return body if isinstance(body, list) else [body]


def test_events_that_the_ledger_could_not_note_stay_in_their_outboxes_and_fail_no_write(
    own: Servers, running: Service, topics: Topics, unique: Callable[[str], str]
) -> None:
    product = unique("product")
    own.redis_client().set(f"product:{product}:stock", 10)
    own.redis_client().set(f"product:{product}:published", "no sorted set")
    (order_id,) = queue_up(own, product, 1)

    running.worker("orders")

    (record,) = all_ended(own, [order_id])
    assert record["result"]["outcome"] == "created"
    assert counted(own, "writes_alone") == 0
    with topics.reader("order_created") as reader:
        reader.wait_for(1, key=order_id)
    stored: Any = own.orders().find_one({"_id": order_id})
    assert [event["id"] for event in stored["outbox"]] == [f"{order_id}:1"]
