"""What is needed to build the stock ledger anew from levels and stored orders, where Redis has lost it."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import redis

from models.movements import decision_key, event_id
from models.order import OrderDocument
from models.stock import Sent, Stock

LEDGER_KEYS = ("product:*", "stock:partitions", "stock:quiet")
_HERE = Path(__file__).parent
_RESTORE = "".join((_HERE / f"{name}.lua").read_text() for name in ("ledger", "restore_holds"))


@dataclass(frozen=True, slots=True)
class Hold:
    """What one transition took of one product; `at` is when its event was on Kafka at the latest (ms), if known."""

    product_id: str
    event_id: str
    units: int
    at: int | None


def holds_of(order: OrderDocument) -> Iterator[Hold]:
    """Yield what an order's transitions took, settled or not."""
    waiting = [*order["outbox"], *order.get("parkedEvents", ())]
    unsent = {event["id"] for event in waiting} | set(order.get("discardedEvents", ()))
    published = order.get("publishedAt")
    for entry in order["timeline"]:
        event = event_id(order["_id"], entry["version"])
        at = int(published.timestamp() * 1000) if published and event not in unsent else None
        yield from (Hold(product, event, units, at) for product, units in entry.get("takes", {}).items() if units > 0)


class LostStock:
    """A ledger that is being rebuilt. `stock` has the levels already."""

    def __init__(self, client: "redis.Redis", stock: Stock) -> None:
        self._client = client
        self._stock = stock
        self._restore = client.register_script(_RESTORE)
        self._until: dict[str, int] = {}
        self.restored: dict[str, dict[str, Hold]] = {}

    def forget(self) -> None:
        """Remove all of the ledger that is left."""
        for pattern in LEDGER_KEYS:
            for key in self._client.scan_iter(pattern, count=1000):
                self._client.unlink(key)

    def restore(self, holds: Iterable[Hold]) -> None:
        """Put those holds back that the product's level does not include by its time."""
        left = [hold for hold in holds if not self._is_settled(hold)]
        for hold in left:
            self.restored.setdefault(hold.event_id, {})[hold.product_id] = hold
        self._put([Hold(hold.product_id, hold.event_id, hold.units, None) for hold in left])

    def remember(self, orders: Iterable[OrderDocument], seconds: int) -> None:
        """Remember for so long what was decided for transitions as young as that, where it is not known any more.

        A write that comes back is then known to have moved its stock, as without the loss.
        """
        since = datetime.now(UTC) - timedelta(seconds=seconds)
        made = {
            decision_key(order["_id"], entry["version"]): entry
            for order in orders
            for entry in order["timeline"]
            if "takes" in entry and entry["at"] >= since
        }
        with self._client.pipeline(transaction=False) as pipeline:
            for key in made:
                pipeline.exists(key)
            known = pipeline.execute()
        with self._client.pipeline(transaction=True) as pipeline:
            for (key, entry), there in zip(made.items(), known, strict=True):
                if not there:
                    facts = {"verdict": "moved", "detail": "", "task": entry["taskId"]}
                    taken = {"takes": json.dumps(entry["takes"]), "at": int(entry["at"].timestamp() * 1000)}
                    pipeline.hset(key, mapping=cast("dict[Any, Any]", facts | taken))
                    pipeline.expire(key, seconds)
            pipeline.execute()

    def published(self, places: Sequence[tuple[str, str, int, int, int]]) -> None:
        """Note where events (id, topic, partition, offset, when in ms) are, as far as their holds were put back."""
        sent = []
        for event, topic, partition, offset, at in places:
            takes = {product: hold.units for product, hold in self.restored.pop(event, {}).items()}
            sent.append(Sent(event, takes, topic, partition, offset, at))
        self._stock.published(sent)

    def note_the_rest(self) -> None:
        """Note when events were published that Kafka no longer has."""
        self._put([hold for holds in self.restored.values() for hold in holds.values() if hold.at])

    def decided_but_not_stored(self) -> Iterator[tuple[str, int, list[Hold]]]:
        """Yield what is remembered of movements (order, version, holds): their tasks may yet store them."""
        for key in self._client.scan_iter("order:*:stock", count=1000):
            order_id, version = cast(str, key).removeprefix("order:").removesuffix(":stock").rsplit(":", 1)
            verdict, takes = cast(list[str], self._client.hmget(key, "verdict", "takes"))
            if verdict == "moved":
                event = event_id(order_id, int(version))
                taken: dict[str, Any] = json.loads(takes)
                yield order_id, int(version), [Hold(name, event, n, None) for name, n in taken.items() if n > 0]

    def _put(self, holds: list[Hold]) -> None:
        for first in range(0, len(holds), 250):
            told = [[hold.product_id, hold.event_id, hold.units, hold.at or 0] for hold in holds[first : first + 250]]
            self._restore(args=["", json.dumps(told)])

    def _is_settled(self, hold: Hold) -> bool:
        if hold.product_id not in self._until:
            found = cast("str | None", self._client.hget(f"product:{hold.product_id}:level", "until"))
            self._until[hold.product_id] = int(found or -1)
        return hold.at is not None and hold.at <= self._until[hold.product_id]
