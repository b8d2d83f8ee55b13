"""A product service as the ledger meets it: applies our events when it gets to them, and tells its count as levels."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Literal

from models.stock import Level, Sent

Tells = Literal["events", "orderIds", "seen", "nothing"]
PARTITIONS = 3


@dataclass
class ProductService:
    """Counts units; `ahead_ms` is how far its clock is ahead, `keyed` that a product's levels are in one partition."""

    tells: Tells = "events"
    ahead_ms: int = 0
    keyed: bool = True
    versions: bool = False
    units: Counter[str] = field(default_factory=Counter)
    applied: set[str] = field(default_factory=set)
    positions: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    untold: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    levels: int = 0

    def apply(self, sent: Sent) -> list[str]:
        """Apply one event, a repeat once; return the products whose count has changed."""
        of_topic = self.positions[sent.topic]
        of_topic[str(sent.partition)] = max(sent.offset, of_topic.get(str(sent.partition), -1))
        if sent.event_id in self.applied:
            return []
        self.applied.add(sent.event_id)
        for product, taken in sent.takes.items():
            self.units[product] -= taken
            self.untold[product].append(sent.event_id)
        return list(sent.takes)

    def level(self, product: str, now: int) -> Level:
        """Count a product now, and say what the count includes as this service does."""
        self.levels += 1
        partition = sum(product.encode()) if self.keyed else self.levels
        # What was told once is not told again, but for offsets, which only grow.
        names, self.untold[product] = self.untold[product], []
        if self.tells == "orderIds":
            names = [event for event in names if event.endswith(":1")]
        return Level(
            product_id=product,
            units=self.units[product],
            version=self.levels if self.versions else None,
            at=now + self.ahead_ms,
            source=f"product_events/{partition % PARTITIONS}",
            offset=self.levels,
            names=names if self.tells in {"events", "orderIds"} else (),
            seen={topic: dict(of) for topic, of in self.positions.items()} if self.tells == "seen" else {},
            counted_by=now + self.ahead_ms,
        )
