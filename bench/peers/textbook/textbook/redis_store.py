"""What Redis holds: stock levels, taken and given back, and what is known of customers."""

import json
from pathlib import Path
from typing import Any, cast

import redis

from textbook.config import REDIS_HOST, REDIS_PORT
from textbook.problems import rejection

# Opens its connections at first use, and anew in a forked process.
client = redis.Redis(host=REDIS_HOST, port=REDIS_PORT, decode_responses=True)
_take_stock = client.register_script(Path(__file__).with_name("take_stock.lua").read_text())


def _stock_key(product_id: str) -> str:
    return f"product:{product_id}:stock"


def take_stock(items: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Take the units of all items, or of none and return the problem."""
    keys = [_stock_key(item["productId"]) for item in items]
    refusal = cast("list[Any] | None", _take_stock(keys=keys, args=[item["quantity"] for item in items]))
    if refusal is None:
        return None
    kind, place = refusal
    return rejection(kind, productId=items[place - 1]["productId"])


def give_stock_back(items: list[dict[str, Any]]) -> None:
    """Give back what `take_stock` took."""
    with client.pipeline() as transaction:
        for item in items:
            transaction.incrby(_stock_key(item["productId"]), item["quantity"])
        transaction.execute()


def set_stock(product_id: str, level: int) -> None:
    """Store a product's stock level."""
    client.set(_stock_key(product_id), level)


def remove_stock(product_id: str) -> None:
    """Forget a product that is gone."""
    client.delete(_stock_key(product_id))


def find_customer(user_id: str) -> tuple[dict[str, Any], str | None]:
    """Return the customer's preferences and e-mail, as far as they are known."""
    with client.pipeline(transaction=False) as pipeline:
        pipeline.hget("user:preferences", user_id)
        pipeline.hget("user:email", user_id)
        preferences, email = pipeline.execute()
    return json.loads(preferences) if preferences else {}, email


def wants_notifications(preferences: dict[str, Any]) -> bool:
    """Tell whether the customer may be told of an order."""
    notifications = preferences.get("notifications")
    if isinstance(notifications, dict):
        return notifications.get("orders") is not False
    return notifications is not False


def remember_customer(user_id: str, email: str | None, preferences: dict[str, Any] | None) -> None:
    """Store what a login told of the customer."""
    with client.pipeline(transaction=False) as pipeline:
        if preferences:
            pipeline.hset("user:preferences", user_id, json.dumps(preferences))
        if email:
            pipeline.hset("user:email", user_id, email)
        pipeline.execute()
