"""Events that were not sent right after their commit: the outbox holds them, and the sweep sends them as they are."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from pymongo.collection import Collection
from redis import Redis

from models import transitions
from models.ids import new_id
from models.order import OrderDocument
from models.writes import Write
from tests.processes import Service, eventually
from tests.topics import Topics, headers, value

Orders = Collection[dict[str, Any]]
LONG_AGO = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


def test_events_left_in_an_outbox_are_sent_in_order_with_the_e_mail_of_today(
    shop: Service, topics: Topics, orders: Orders, redis_client: Redis, unique: Callable[[str], str]
) -> None:
    user, order_id = unique("user"), new_id()
    body = {"userId": user, "items": [{"productId": "p", "quantity": 2, "unitPrice": "0.5"}], "currency": "EUR"}
    created = transitions.create(Write(order_id, order_id, "create", body, LONG_AGO), LONG_AGO).order
    cancel = Write(new_id(), order_id, "update", {"status": "cancelled", "note": "too late"}, LONG_AGO)
    cancelled = transitions.update(created, cancel, LONG_AGO)
    assert isinstance(cancelled, transitions.Transition)
    deleted = transitions.delete(cancelled.order, Write(new_id(), order_id, "delete", {}, LONG_AGO), LONG_AGO).order
    redis_client.hset("user:email", user, "today@example.com")
    orders.insert_one(dict(deleted))

    with topics.reader("order_created", "order_updated", "order_deleted") as reader:
        found = reader.wait_for(3, key=order_id)

    told = {message.topic(): message for message in found}
    assert [headers(told[topic])["ce_id"] for topic in ("order_created", "order_updated", "order_deleted")] == [
        f"{order_id}:1",
        f"{order_id}:2",
        f"{order_id}:3",
    ]
    assert {message.topic(): value(message)["email"] for message in found} == dict.fromkeys(told, "today@example.com")
    assert {headers(message)["ce_time"] for message in found} == {"2026-01-02T03:04:05.678Z"}
    sent = [told[topic].timestamp()[1] for topic in ("order_created", "order_updated", "order_deleted")]
    assert sent == sorted(sent)
    assert value(told["order_created"])["status"] == "confirmed"
    assert value(told["order_updated"])["changed"] == ["status", "note"]
    assert (value(told["order_deleted"])["status"], value(told["order_deleted"])["version"]) == ("cancelled", 3)
    eventually(lambda: (orders.find_one({"_id": order_id}) or {}).get("outbox") == [])


def _unsent(user: str, at: datetime) -> dict[str, Any]:
    order_id = new_id()
    body = {"userId": user, "items": [{"productId": "p", "quantity": 1}], "currency": "EUR"}
    return dict(transitions.create(Write(order_id, order_id, "create", body, at), at).order)


def test_an_event_that_can_t_be_sent_is_parked_and_stops_no_other(
    shop: Service, topics: Topics, orders: Orders, unique: Callable[[str], str]
) -> None:
    user = unique("user")
    broken, good = _unsent(user, LONG_AGO), _unsent(user, LONG_AGO + timedelta(seconds=1))
    create: Any = broken["outbox"][0]
    create["order"]["note"] = "x" * 1_100_000  # larger than a message to Kafka may be
    note = Write(new_id(), broken["_id"], "update", {"note": "later"}, LONG_AGO)
    changed = transitions.update(cast("OrderDocument", broken), note, LONG_AGO)
    assert isinstance(changed, transitions.Transition)
    orders.insert_many([dict(changed.order), good])

    with topics.reader("order_created", "order_updated") as reader:
        assert headers(reader.wait_for(1, key=good["_id"])[0])["ce_id"] == f"{good['_id']}:1"
        assert headers(reader.wait_for(1, key=broken["_id"])[0])["ce_id"] == f"{broken['_id']}:2"

    eventually(lambda: (orders.find_one({"_id": broken["_id"]}) or {}).get("outbox") == [])
    stored: Any = orders.find_one({"_id": broken["_id"]})
    assert [(each["id"], each["reason"]) for each in stored["parkedEvents"]] == [
        (f"{broken['_id']}:1", "MSG_SIZE_TOO_LARGE")
    ]


def test_depth_and_age_of_what_is_unsent_are_measured(
    shop: Service, orders: Orders, redis_client: Redis, unique: Callable[[str], str]
) -> None:
    fresh = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=60)  # too young for the sweep to send it
    order = _unsent(unique("user"), fresh)
    orders.insert_one(order)
    expected = fresh.isoformat().replace("+00:00", ".000Z")

    eventually(lambda: redis_client.hget("outbox:state", "oldest") == expected)
    assert int(redis_client.hget("outbox:state", "depth") or 0) >= 1
    orders.delete_one({"_id": order["_id"]})
    eventually(lambda: redis_client.hget("outbox:state", "oldest") != expected)
