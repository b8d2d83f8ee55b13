"""What Redis knows of a customer: preferences and e-mail, learnt at login."""

from dataclasses import dataclass
from typing import Any

import orjson
from redis.asyncio import Redis


@dataclass(frozen=True)
class Customer:
    """A customer, as far as one is known."""

    preferences: dict[str, Any]
    email: str | None

    @property
    def wants_notifications(self) -> bool:
        """Tell whether the customer may be told of an order."""
        notifications = self.preferences.get("notifications")
        if isinstance(notifications, dict):
            return notifications.get("orders") is not False
        return notifications is not False


class Customers:
    """The customers who have logged in."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def find(self, user_id: str) -> Customer:
        """Return a customer; one who is not known has no e-mail and no wishes."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hget("user:preferences", user_id)
            pipeline.hget("user:email", user_id)
            preferences, email = await pipeline.execute()
        return Customer(orjson.loads(preferences) if preferences else {}, email)

    async def remember(self, user_id: str, email: str | None, preferences: dict[str, Any] | None) -> None:
        """Store what a login told."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            if preferences:
                pipeline.hset("user:preferences", user_id, orjson.dumps(preferences))
            if email:
                pipeline.hset("user:email", user_id, email)
            await pipeline.execute()
