"""The Celery tasks: each does one thing, for one order, product or customer."""

from typing import Any

from celery import Task, shared_task
from confluent_kafka import KafkaException
from mongoengine.errors import NotUniqueError
from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from textbook import events, redis_store
from textbook.orders import WRITE_CONCERN, new_order
from textbook.problems import rejection

_RETRY: dict[str, Any] = {"autoretry_for": (KafkaException, PyMongoError, RedisError), "retry_backoff": True}


@shared_task(bind=True, **_RETRY)
def create_order(self: "Task[Any, Any]", request: dict[str, Any]) -> dict[str, Any]:
    """Check the customer, take the stock, store the order, tell of it; return the outcome."""
    preferences, email = redis_store.find_customer(request["userId"])
    if not redis_store.wants_notifications(preferences):
        return {"outcome": "rejected", "problem": rejection("notifications-off")}
    problem = redis_store.take_stock(request["items"])
    if problem:
        return {"outcome": "rejected", "problem": problem}
    order = new_order(str(self.request.id), request)
    try:
        order.save(force_insert=True, write_concern=WRITE_CONCERN)
    except NotUniqueError:
        # An earlier run of this task stored the order: its units are taken already.
        redis_store.give_stock_back(request["items"])
    except PyMongoError:
        redis_store.give_stock_back(request["items"])
        raise
    events.publish_order_created(order.to_dict(), email)
    return {"outcome": "created", "problem": None}


@shared_task(ignore_result=True, **_RETRY)
def publish_user_orders(user_id: str, reason: str) -> None:
    """Tell which orders a customer has."""
    _, email = redis_store.find_customer(user_id)
    events.publish_user_orders(user_id, email, reason)


@shared_task(ignore_result=True, **_RETRY)
def set_stock(product_id: str, level: int) -> None:
    """Store a product's stock level."""
    redis_store.set_stock(product_id, level)


@shared_task(ignore_result=True, **_RETRY)
def remove_stock(product_id: str) -> None:
    """Forget a product that is gone."""
    redis_store.remove_stock(product_id)


@shared_task(ignore_result=True, **_RETRY)
def greet_customer(user_id: str, email: str | None, preferences: dict[str, Any] | None) -> None:
    """Store what a login told of the customer, and tell which orders they have."""
    redis_store.remember_customer(user_id, email, preferences)
    _, known_email = redis_store.find_customer(user_id)
    events.publish_user_orders(user_id, known_email, "login")
