"""The tasks of the `publish` queue: a user's orders, what outboxes still hold, and what stores need at start."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from confluent_kafka import KafkaError

from models.connections import orders, redis_client
from models.customers import Customers
from models.order import make_indexes
from models.representations import newest_shown
from models.stock import Stock
from settings import settings
from tasks import app, outbox
from tasks.events import MAX_USER_ORDERS, UserOrders, user_orders_event
from tasks.kept import Kept, KeptTask, carry_out
from tasks.patience import TryLaterError, persist
from tasks.publisher import DELIVERY_TIMEOUT, Delivery, Event, publisher
from tasks.stores import SERVER_TIMEOUT, now
from tasks.topics import MissingTopicsError, make_topics

MAX_BYTES_AT_ONCE = 4_000_000
"""Of users' orders, before Kafka's reports are waited for: a group of long lists must not fill the memory."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose orders are to be published, and what asked for it."""

    user_id: str
    reason: Literal["login", "request"]


def publish_together(group: Sequence[Kept], redelivered: bool) -> tuple[list[str], float]:
    """Publish the orders of the users of a group; see `Together`."""
    return carry_out(_publish, group, redelivered)


def _publish(group: Sequence[Kept]) -> None:
    """Publish each user's newest orders, a few megabytes at a time."""
    emails = Customers(redis_client(SERVER_TIMEOUT)).emails([kept.told.user_id for kept in group])
    events: list[Event] = []
    size = 0
    for kept in group:
        event = _user_orders(kept, emails.get(kept.told.user_id))
        events.append(event)
        size += len(event.value or b"")
        if size > MAX_BYTES_AT_ONCE:
            _deliver(events)
            events, size = [], 0
    _deliver(events)


def _user_orders(kept: Kept, email: str | None) -> Event:
    asked: Asked = kept.told
    mine = {"userId": asked.user_id, "deletedAt": None}
    collection = orders(SERVER_TIMEOUT)
    newest = newest_shown(collection, mine, MAX_USER_ORDERS)
    total = len(newest) if len(newest) < MAX_USER_ORDERS else collection.count_documents(mine)
    return user_orders_event(UserOrders(asked.user_id, total, asked.reason), newest, email, kept.task_id, now())


def _deliver(events: Sequence[Event]) -> None:
    reports = publisher().deliver(events, DELIVERY_TIMEOUT)
    if any(isinstance(report, KafkaError) and report.code() in outbox.NEVER for report in reports):
        raise ValueError("Kafka will never take a user's orders as they are")
    if not all(isinstance(report, Delivery) for report in reports):
        raise TryLaterError("Kafka has not confirmed users' orders")


class UserOrdersTask(KeptTask):
    """A task that publishes one user's orders."""

    tells = Asked
    together = staticmethod(publish_together)


@app.task(bind=True, base=UserOrdersTask, name="publish_user_orders", ignore_result=True)
def publish_user_orders(self: UserOrdersTask, /, **told: Any) -> None:
    """Publish a user's newest orders to `user_orders` (the fields of `Asked`)."""
    _publish([Kept(str(self.request.id), Asked(**told), "")])


@app.task(name="sweep_outbox", ignore_result=True)
def sweep_outbox() -> None:
    """Send the events that could not be sent right after their commit."""
    client = redis_client(SERVER_TIMEOUT)
    box = outbox.Outbox(orders(SERVER_TIMEOUT), Customers(client), Stock(client), publisher(), client)
    swept = outbox.sweep(box, now())
    if swept.sent or swept.left or swept.parked:
        _log.warning("outbox: %d events sent late, %d parked, %d not yet", swept.sent, swept.parked, swept.left)


@app.task(name="prepare_stores", ignore_result=True)
def prepare_stores() -> None:
    """Make MongoDB's indexes and Kafka's topics where they are missing."""
    persist(lambda: make_indexes(orders(SERVER_TIMEOUT)))
    try:
        persist(lambda: make_topics(settings().kafka_broker))
    except MissingTopicsError as error:
        _log.error("%s", error)
