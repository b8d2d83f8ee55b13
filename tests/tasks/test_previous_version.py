"""What the last version queued and stored, frozen as it wrote it: a deploy in the middle loses none of it."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from models.ids import new_id
from tests.processes import Servers, Service, eventually, service

LONG_AGO = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def own(servers: Servers) -> Servers:
    found = Servers(servers.redis_server, servers.mongod, servers.kafka, database="previous", redis_db=8)
    found.make_topics()
    return found


@pytest.fixture
def running(own: Servers, tmp_path: Path) -> Iterator[Service]:
    with service(own, tmp_path, WORKER_CONCURRENCY="1") as started:
        yield started


def message(task: str, task_id: str, order_id: str, body: dict[str, Any]) -> str:
    """Return a message of envelope version 1, as it was before writes knew `if_match`."""
    accepted_at = "2026-11-23T10:00:00.000Z"
    kwargs = {"order_id": order_id, "accepted_at": accepted_at, "body": body}
    embed = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
    headers = {
        "envelope": 1,
        "order_id": order_id,
        "accepted_at": accepted_at,
        "predecessor": None,
        "lang": "py",
        "task": task,
        "id": task_id,
        "shadow": None,
        "eta": None,
        "expires": None,
        "group": None,
        "group_index": None,
        "retries": 0,
        "timelimit": [None, None],
        "root_id": task_id,
        "parent_id": None,
        "argsrepr": "()",
        "kwargsrepr": repr({"order_id": order_id}),
        "origin": "gen1@host",
        "ignore_result": False,
        "replaced_task_nesting": 0,
        "stamped_headers": None,
        "stamps": {},
    }
    properties = {
        "correlation_id": task_id,
        "reply_to": "",
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": "orders"},
        "priority": 0,
        "body_encoding": "base64",
        "delivery_tag": new_id(),
    }
    return json.dumps(
        {
            "headers": headers,
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "properties": properties,
            "body": b64encode(json.dumps([[], kwargs, embed]).encode()).decode(),
        }
    )


def record(task_id: str, order_id: str) -> str:
    kept: dict[str, Any] = {"status": "QUEUED", "result": None, "traceback": None, "children": [], "date_done": None}
    return json.dumps({**kept, "task_id": task_id, "order_id": order_id, "accepted_at": "2026-11-23T10:00:00.000Z"})


def stored_order(order_id: str, product: str) -> dict[str, Any]:
    """Return an order as it was stored before stock was held: no `takes`, and a lease that is a date."""
    items = [{"productId": product, "quantity": 2, "unitPrice": None}]
    snapshot: dict[str, Any] = {
        "userId": "user-1",
        "items": items,
        "currency": "USD",
        "total": None,
        "status": "confirmed",
    }
    snapshot |= {"createdAt": LONG_AGO, "version": 1}
    return {
        "_id": order_id,
        **snapshot,
        "shippingAddress": None,
        "note": None,
        "metadata": None,
        "updatedAt": LONG_AGO,
        "timeline": [
            {"version": 1, "status": "confirmed", "at": LONG_AGO, "taskId": order_id, "change": "created"},
        ],
        "outbox": [{"id": f"{order_id}:1", "topic": "order_created", "at": LONG_AGO, "order": snapshot}],
        "outboxLease": LONG_AGO + timedelta(seconds=30),
    }


def test_writes_queued_by_the_last_version_are_carried_out(
    own: Servers, running: Service, unique: Callable[[str], str]
) -> None:
    product, created, changed, task_id = unique("product"), new_id(), new_id(), new_id()
    redis = own.redis_client()
    redis.set(f"product:{product}:stock", 10)
    own.orders().insert_one(stored_order(changed, product))
    body = {"userId": "user-1", "items": [{"productId": product, "quantity": 3, "unitPrice": "1.5"}], "currency": "USD"}
    redis.mset(
        {
            f"celery-task-meta-{created}": record(created, created),
            f"order:{created}:last": created,
            f"celery-task-meta-{task_id}": record(task_id, changed),
            f"order:{changed}:last": task_id,
        }
    )
    redis.lpush("orders", message("create_order", created, created, body))
    redis.lpush("orders", message("update_order", task_id, changed, {"status": "cancelled"}))

    running.worker("orders")
    eventually(lambda: redis.llen("orders") == 0 and redis.hlen("unacked") == 0)

    assert json.loads(redis.get(f"celery-task-meta-{created}") or "{}")["result"]["outcome"] == "created"
    assert json.loads(redis.get(f"celery-task-meta-{task_id}") or "{}")["result"]["outcome"] == "updated"
    assert redis.get(f"product:{product}:stock") == "9"  # 10 - 3 + 2


def test_an_outbox_of_the_last_version_is_swept(own: Servers, running: Service, unique: Callable[[str], str]) -> None:
    order_id = new_id()
    own.orders().insert_one(stored_order(order_id, unique("product")))

    running.worker("publish")
    running.beat()

    eventually(lambda: (own.orders().find_one({"_id": order_id}) or {}).get("outbox") == [])
