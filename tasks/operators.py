"""What operators see of each kind of thing that waits for them, and what they can do with it."""

import base64
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import redis
from pymongo.collection import Collection

from models.order import OrderDocument
from models.stock import Stock
from tasks.malformed import Item, Malformed
from tasks.parked import NotPossibleError, Parked, ParkedMessages
from tasks.parked_events import UnsendableEvent, UnsendableEvents


class Waiting(Protocol):
    """One thing that waits, whatever it is. Only `shown` with `body` tells what a customer wrote."""

    @property
    def id(self) -> str:
        """What it goes by."""

    def row(self) -> Iterable[Any]:
        """Return its line of the list."""

    def shown(self, body: bool) -> str:
        """Return all that is known of it."""

    def requeue(self) -> bool:
        """Try it again; False where somebody else has dealt with it meanwhile."""

    def discard(self) -> bool:
        """Give it up; False where somebody else has dealt with it meanwhile."""


class WaitingMessage:
    """A parked message."""

    columns = ("ID", "TASK", "ORDER", "QUEUE", "STARTS", "PARKED AT", "WHY")

    def __init__(
        self, messages: ParkedMessages, parked: Parked, orders: "Collection[OrderDocument]", stock: Stock
    ) -> None:
        self._messages, self._parked, self._orders, self._stock = messages, parked, orders, stock
        self.id = parked.task_id

    def row(self) -> Iterable[Any]:
        """Return its task, order, queue, starts, time and reason."""
        return self._facts().values()

    def shown(self, body: bool) -> str:
        """Return that with its headers, and its message where the body is wanted."""
        headers, message = self._parked.headers, self._parked.message
        # The representation of a task's arguments, which is another header, may come from a customer.
        told = {name: headers[name] for name in ("envelope", "accepted_at", "origin", "retries") if name in headers}
        return _json(
            self._facts() | {"headers": told} | ({"message": message, "body": _decoded(message)} if body else {})
        )

    def requeue(self) -> bool:
        """Put it back into its queue."""
        return self._messages.requeue(self._parked)

    def discard(self) -> bool:
        """Forget it, and give back the stock that it holds."""
        return self._messages.discard(self._parked, self._orders, self._stock)

    def _facts(self) -> dict[str, Any]:
        entry = self._parked.entry
        return {
            "id": self.id,
            "task": self._parked.headers.get("task"),
            "order": self._parked.order_id,
            **{name: entry[name] for name in ("queue", "starts", "at", "reason")},
        }


class WaitingItem:
    """A malformed item."""

    columns = ("ID", "FOUND IN", "BYTES")

    def __init__(self, items: Malformed, item: Item) -> None:
        self._items, self._item = items, item
        self.id = item.digest

    def row(self) -> Iterable[Any]:
        """Return where it was found, and its size."""
        return self.id, self._item.found_in, len(self._item.raw)

    def shown(self, body: bool) -> str:
        """Return that, whether it can be requeued, and its bytes where the body is wanted."""
        try:
            why = f"it can go back to {self._item.as_message()[0]}"
        except NotPossibleError as error:
            why = f"it can't be requeued: {error}"
        raw = f"\n{self._item.raw.decode(errors='backslashreplace')}" if body else ""
        return f"{self.id}: {len(self._item.raw)} bytes, found in {self._item.found_in}; {why}{raw}"

    def requeue(self) -> bool:
        """Put it back into its queue."""
        return self._items.requeue(self._item)

    def discard(self) -> bool:
        """Remove it."""
        return self._items.discard(self._item)


class WaitingEvent:
    """A parked event of an order."""

    columns = ("ID", "TOPIC", "ORDER", "MADE AT", "PARKED AT", "WHY")

    def __init__(self, events: UnsendableEvents, event: UnsendableEvent) -> None:
        self._events, self._event = events, event
        self.id = event.event_id

    def row(self) -> Iterable[Any]:
        """Return its topic, order, times and reason."""
        return self._event.facts.values()

    def shown(self, body: bool) -> str:
        """Return that, and the whole event where the body is wanted."""
        return _json(self._event.facts | ({"event": self._event.body} if body else {}))

    def requeue(self) -> bool:
        """Put it back into its order's outbox."""
        return self._events.requeue(self._event)

    def discard(self) -> bool:
        """See to it that it is never sent."""
        return self._events.discard(self._event)


def waiting_messages(
    client: "redis.Redis", orders: "Collection[OrderDocument]", ids: Sequence[str] | None
) -> Iterator[Waiting | str]:
    """Yield the parked messages of these tasks, or all, the oldest first; an id that none has is yielded itself."""
    messages, stock = ParkedMessages(client), Stock(client)
    oldest_first = sorted(messages.all(), key=lambda parked: str(parked.entry["at"])) if ids is None else []
    for each in oldest_first if ids is None else [messages.find(task_id) or task_id for task_id in ids]:
        yield each if isinstance(each, str) else WaitingMessage(messages, each, orders, stock)


def waiting_items(client: "redis.Redis", queues: list[str], ids: Sequence[str] | None) -> Iterator[Waiting | str]:
    """Yield the malformed items of these queues that go by these ids, or all, in the same manner."""
    items = Malformed(client)
    known = {each.digest: each for each in items.all(queues)} if ids is not None else {}
    found: Iterable[Item | str] = list(items.all(queues)) if ids is None else [known.get(each, each) for each in ids]
    for each in found:
        yield each if isinstance(each, str) else WaitingItem(items, each)


def waiting_events(
    client: "redis.Redis", orders: "Collection[OrderDocument]", ids: Sequence[str] | None
) -> Iterator[Waiting | str]:
    """Yield the parked events with these ids, or all, in the same manner."""
    events = UnsendableEvents(orders, client)
    found: Iterable[UnsendableEvent | str] = (
        events.all() if ids is None else [events.find(each) or each for each in ids]
    )
    for each in list(found):
        yield each if isinstance(each, str) else WaitingEvent(events, each)


def _json(facts: dict[str, Any]) -> str:
    return json.dumps(facts, indent=2, ensure_ascii=False)


def _decoded(message: dict[str, Any]) -> Any:
    try:
        return json.loads(base64.b64decode(message["body"]))
    except (KeyError, TypeError, ValueError):
        return None
