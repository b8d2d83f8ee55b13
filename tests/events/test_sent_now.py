"""An order's event goes out right after its commit, though the one before may hardly have left the outbox."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pymongo
import pytest

from models import transitions
from models.customers import Customers
from models.ids import new_id
from models.stock import Stock
from models.writes import Write
from tasks.outbox import SEEN, Outbox, remove, send_now
from tasks.publisher import Event, Publisher
from tests.processes import Servers
from tests.topics import Topics, headers


@pytest.fixture(scope="module")
def box(servers: Servers) -> Outbox:
    """The outboxes of a database in which nobody sweeps."""
    own = Servers(servers.redis_server, servers.mongod, servers.kafka, database="sent_now", redis_db=9)
    own.make_topics()
    client, orders = own.redis_client(), cast("Any", own.orders())
    publisher = Publisher(own.kafka.bootstrap)
    # Commits wait for a second, and a new producer on a busy machine may take longer.
    publisher.deliver([Event("order_created", "warm-up", b"{}", ())], 20)
    return Outbox(orders, Customers(client), Stock(client), publisher, client)


def two_events(order_id: str) -> list[Any]:
    """Return the events of an order that was created and changed once."""
    now = datetime.now(UTC)
    body = {"userId": "user-1", "items": [{"productId": "p", "quantity": 1}], "currency": "EUR"}
    made = transitions.create(Write(order_id, order_id, "create", body, now), now)
    changed = transitions.update(made.order, Write(new_id(), order_id, "update", {"note": "later"}, now), now)
    assert isinstance(changed, transitions.Transition)
    return list(changed.order["outbox"])


def store(box: Outbox, order_id: str, events: list[Any]) -> None:
    order: Any = {"_id": order_id, "outbox": events}
    box.orders.insert_one(order)


def test_it_is_sent_where_the_one_before_has_left_meanwhile(box: Outbox, topics: Topics) -> None:
    order_id = new_id()
    first, second = two_events(order_id)
    store(box, order_id, [second])

    (sent,) = send_now(box, {order_id: [first, second]}, {})

    assert sent[0][1]["id"] == second["id"]
    with topics.reader("order_updated") as reader:
        (message,) = reader.wait_for(1, key=order_id)
    assert (headers(message)["ce_id"], message.offset()) == (f"{order_id}:2", sent[1].offset)
    remove(box, [sent], SEEN)
    assert box.orders.find_one({"_id": order_id, "outbox": []})


def test_it_is_left_to_the_sweep_where_the_one_before_still_waits(box: Outbox, topics: Topics) -> None:
    waiting, alone = new_id(), new_id()
    store(box, waiting, two_events(waiting))
    store(box, alone, two_events(alone)[:1])

    sent = send_now(box, {waiting: two_events(waiting), alone: two_events(alone)[:1]}, {})

    assert [order_id for (order_id, _), _ in sent] == [alone]
    with topics.reader("order_created", "order_updated") as reader:
        reader.wait_for(1, key=alone)
        assert not [message for message in reader.drain() if message.key() == waiting.encode()]


def test_nothing_is_sent_where_somebody_else_was_quicker(box: Outbox) -> None:
    order_id = new_id()
    store(box, order_id, [])

    assert send_now(box, {order_id: two_events(order_id)}, {}) == []


def test_others_are_sent_where_mongodb_does_not_tell_what_has_left(box: Outbox) -> None:
    unknown, alone = new_id(), new_id()
    nobody: Any = pymongo.MongoClient("mongodb://127.0.0.1:1")
    asking_nobody = replace(box, orders=nobody["none"]["orders"])

    sent = send_now(asking_nobody, {unknown: two_events(unknown), alone: two_events(alone)[:1]}, {})

    nobody.close()
    assert [order_id for (order_id, _), _ in sent] == [alone]
