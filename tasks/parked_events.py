"""Events that can't be sent wait in their orders for an operator, who has them sent again or gives them up.

An event's id begins with that of its order. An event that is given up stays known by its id: its units are sold, and no
stock level can include what the product service never hears of.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import redis
from pymongo.collection import Collection

from models.order import OrderDocument, ParkedEvent
from models.representations import timestamp
from tasks.transport.scripts import COUNTS


@dataclass(frozen=True, slots=True)
class UnsendableEvent:
    """A parked event, as it is kept in its order."""

    order_id: str
    kept: ParkedEvent

    @property
    def event_id(self) -> str:
        """Return its id, which Kafka would have got as `ce_id`."""
        return self.kept["id"]

    @property
    def facts(self) -> dict[str, Any]:
        """Return what does not come from a customer."""
        event, parked_at = self.kept["event"], self.kept.get("at")
        return {
            "id": self.event_id,
            "topic": event["topic"],
            "order": self.order_id,
            "made at": timestamp(event["at"]),
            "parked at": timestamp(parked_at) if parked_at else None,
            "why": self.kept["reason"],
        }

    @property
    def body(self) -> Any:
        """Return the whole event; what JSON has no word for is shown as Python does."""
        return json.loads(json.dumps(self.kept["event"], default=str))


class UnsendableEvents:
    """The parked events of all orders."""

    def __init__(self, orders: "Collection[OrderDocument]", client: "redis.Redis") -> None:
        self._orders = orders
        self._client = client

    def all(self) -> Iterator[UnsendableEvent]:
        """Yield all there are, order by order."""
        for order in self._orders.find({"parkedEvents.id": {"$exists": True}}, {"parkedEvents": 1}):
            yield from (UnsendableEvent(order["_id"], kept) for kept in order["parkedEvents"])

    def find(self, event_id: str) -> UnsendableEvent | None:
        """Return the event, None where no such one is parked."""
        order = self._orders.find_one({"parkedEvents.id": event_id}, {"parkedEvents": 1})
        kept = [each for each in order["parkedEvents"] if each["id"] == event_id] if order else []
        return UnsendableEvent(order["_id"], kept[0]) if order and kept else None

    def requeue(self, event: UnsendableEvent) -> bool:
        """Put it back into its order's outbox for the next sweep; False where somebody else has dealt with it.

        It goes before what waits there of later versions; what was sent meanwhile it can only follow.
        """
        outbox = {"$each": [event.kept["event"]], "$sort": {"order.version": 1}}
        return self._take(event, {"$push": {"outbox": outbox}}, "events_requeued")

    def discard(self, event: UnsendableEvent) -> bool:
        """Give it up: it is never sent; False where somebody else has dealt with it."""
        return self._take(event, {"$addToSet": {"discardedEvents": event.event_id}}, "events_discarded")

    def _take(self, event: UnsendableEvent, change: dict[str, Any], count: str) -> bool:
        """Take it out of the parked ones, in one step with what becomes of it."""
        its = {"id": event.event_id}
        parked = {"_id": event.order_id, "parkedEvents.id": event.event_id}
        done = self._orders.update_one(parked, {"$pull": {"parkedEvents": its}, **change}).modified_count == 1
        if done:
            self._client.hincrby(COUNTS, count, 1)
        return done
