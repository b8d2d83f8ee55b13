"""A product service: knows how many units of each product there truly are, and tells of it in one of four ways.

- `silent`: one level at the beginning, none after; the service alone counts what it sells;
- `seen`: levels that name the offsets up to which order events are in them;
- `named`: levels that name each event (`ce_id`) that is new in them;
- `timed`: levels that name nothing: the service has to go by their time.

A level's time is honest: when it was last certain that every event published before was counted.
"""

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

MODES = ("silent", "seen", "named", "timed")
PLENTY, PROBED, POISONED = "plenty", "probed", "poisoned"
EXCLUDED = POISONED
"""What is parked keeps its hold until an operator decides: this product is not counted."""

SCARCE = 60
RESTOCK = 60
SOLD_OUT_SECONDS = 4.0
"""How long a product stays sold out before the next delivery."""

Send = Callable[[str, dict[str, Any]], None]


@dataclass
class Product:
    """One product: all units that ever came in, and what the product service knows of orders."""

    id: str
    mode: str
    received: int
    sold: dict[str, int] = field(default_factory=dict)  # order -> units it has
    applied: list[str] = field(default_factory=list)  # ce_ids since the last level
    version: int = 0
    changed: bool = False
    sold_out_since: float | None = None

    def available(self) -> int:
        """Return the product service's own count."""
        return self.received - sum(self.sold.values())


class Products:
    """The product service of one run."""

    def __init__(self, modes: tuple[str, ...]) -> None:
        self._changing = threading.RLock()
        plenty = [Product(name, "silent", 1_000_000) for name in (PLENTY, PROBED, POISONED)]
        scarce = [Product(f"{mode}-{number}", mode, SCARCE) for mode in modes for number in range(3)]
        self.all = {product.id: product for product in (*plenty, *scarce)}
        self._scarce = [product.id for product in scarce]
        self._of_order: dict[str, set[str]] = defaultdict(set)
        self._versions: dict[str, int] = defaultdict(int)
        self._seen: dict[str, dict[str, int]] = defaultdict(dict)

    def pick(self, rng: random.Random) -> str:
        """Return a product that a customer wants: half of them want what is scarce."""
        return rng.choice(self._scarce) if rng.random() < 0.5 else PLENTY

    def first_levels(self, send: Send) -> None:
        """Tell of everything once."""
        for product in self.all.values():
            self._tell(product, send, int(time.time() * 1000))

    def apply(self, topic: str, place: tuple[int, int], ce_id: str, order: dict[str, Any]) -> None:
        """Count one order event; the state of the highest version of an order stands, whatever comes when."""
        partition, offset = place
        units = {} if _gone(topic, order) else {item["productId"]: item["quantity"] for item in order["items"]}
        order_id, version = order["orderId"], order["version"]
        with self._changing:
            for product_id in self._of_order[order_id] | units.keys():
                product = self.all[product_id]
                self._of_order[order_id].add(product_id)
                if version > self._versions[order_id]:
                    product.sold[order_id] = units.get(product_id, 0)
                product.applied.append(ce_id)
                product.changed = True
            self._versions[order_id] = max(version, self._versions[order_id])
            self._seen[topic][str(partition)] = offset

    def tick(self, send: Send, certain_at: float | None) -> None:
        """Tell of what changed, and restock; `certain_at` (s) is since when nothing published can be missing."""
        with self._changing:
            for product in self.all.values():
                if product.mode == "silent":
                    continue
                self._restock(product)
                if product.changed and certain_at is not None:
                    self._tell(product, send, int(certain_at * 1000))

    def tell_all(self, send: Send, certain_at: float) -> None:
        """Tell of all products but the silent ones, changed or not."""
        with self._changing:
            for product in self.all.values():
                if product.mode != "silent":
                    self._tell(product, send, int(certain_at * 1000))

    def tell_old(self, rng: random.Random, send: Send) -> None:
        """Tell of versions that are long over, shuffled and twice: none of them may be believed."""
        with self._changing:
            products = [product for product in self.all.values() if product.mode != "silent"]
            told = [(product, rng.randint(1, max(1, product.version - 1))) for product in products for _ in range(4)]
        rng.shuffle(told)
        for product, version in told + told:
            send(product.id, {"productId": product.id, "stock": 9_999, "version": version, "time": 1_000 + version})

    def _restock(self, product: Product) -> None:
        if product.available() > 0:
            product.sold_out_since = None
        elif product.sold_out_since is None:
            product.sold_out_since = time.monotonic()
        elif time.monotonic() - product.sold_out_since > SOLD_OUT_SECONDS:
            product.received += RESTOCK
            product.changed = True

    def _tell(self, product: Product, send: Send, at: int) -> None:
        product.version += 1
        level: dict[str, Any] = {
            "productId": product.id,
            "stock": max(0, product.available()),
            "version": product.version,
            "time": at,
        }
        if product.mode == "seen":
            level["seen"] = {topic: dict(offsets) for topic, offsets in self._seen.items()}
        elif product.mode == "named":
            level["events"] = list(product.applied)
        send(product.id, level)
        product.applied.clear()
        product.changed = False


def _gone(topic: str, order: dict[str, Any]) -> bool:
    """Tell whether the order's units are back: a cancelled one's, and one's that was deleted before it was shipped."""
    if topic == "order_deleted":
        return order["status"] in {"confirmed", "processing", "cancelled"}
    return bool(order["status"] == "cancelled")
