"""The tasks of the `publish` queue: a user's orders, what outboxes still hold, and what stores need at start."""

import logging
from typing import Literal

from models.connections import orders, redis_client
from models.customers import Customers
from models.order import make_indexes
from models.representations import newest_shown
from models.stock import Stock
from settings import settings
from tasks import app, outbox
from tasks.commit import SERVER_TIMEOUT, now
from tasks.events import MAX_USER_ORDERS, UserOrders, user_orders_event
from tasks.grouped import DiscreetTask
from tasks.patience import TryLaterError, persist
from tasks.publisher import DELIVERY_TIMEOUT, Delivery, publisher
from tasks.topics import MissingTopicsError, make_topics

_log = logging.getLogger(__name__)


@app.task(bind=True, base=DiscreetTask, name="publish_user_orders", ignore_result=True)
def publish_user_orders(self: DiscreetTask, *, user_id: str, reason: Literal["login", "request"]) -> None:
    """Publish a user's newest orders to `user_orders`."""
    task_id = str(self.request.id)

    def publish() -> None:
        mine = {"userId": user_id, "deletedAt": None}
        collection = orders(SERVER_TIMEOUT)
        newest = newest_shown(collection, mine, MAX_USER_ORDERS)
        total = len(newest) if len(newest) < MAX_USER_ORDERS else collection.count_documents(mine)
        email = Customers(redis_client(SERVER_TIMEOUT)).emails([user_id]).get(user_id)
        event = user_orders_event(UserOrders(user_id, total, reason), newest, email, task_id, now())
        if not isinstance(publisher().deliver([event], DELIVERY_TIMEOUT)[0], Delivery):
            raise TryLaterError("Kafka has not confirmed a user's orders")

    persist(publish)


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
