"""One product of a shop, on a real Redis and with a clock that the test holds."""

from dataclasses import dataclass
from typing import Any

import redis

from models.movements import Movement
from models.stock import Level, Sent, Stock

SETTLE_MS = 30_000
SECOND = 1000


@dataclass
class Clock:
    """Virtual time in milliseconds since 1970."""

    now: int = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now


class Shop:
    """One product, `lamp`, of which 100 units were there at first."""

    def __init__(self, client: "redis.Redis", clock: Clock, settle_ms: float = SETTLE_MS) -> None:
        self.client, self.clock = client, clock
        self.stock = Stock(client, clock=clock, settle_ms=settle_ms)
        client.set("product:lamp:stock", 100)
        self.offset = 0

    @property
    def left(self) -> int | None:
        found: Any = self.client.get("product:lamp:stock")
        return None if found is None else int(found)

    def take(self, order_id: str, units: int = 1, version: int = 1) -> None:
        [decision] = self.stock.move([Movement(order_id, version, f"task-{order_id}-{version}", {"lamp": units})])
        assert decision.problem is None

    def publish(self, order_id: str, units: int = 1, version: int = 1, **where: int) -> None:
        told = {"partition": 0, "offset": self.offset, "at": self.clock.now, **where}
        self.offset = told["offset"] + 1
        self.stock.published([Sent(f"{order_id}:{version}", {"lamp": units}, "order_created", **told)])

    def order(self, order_id: str, units: int = 1, **where: int) -> None:
        self.take(order_id, units)
        self.publish(order_id, units, **where)

    def level(self, units: int | None, *, ago: int = 0, **more: Any) -> bool:
        """Have a level that was counted `ago` ms before now."""
        at = self.clock.now - ago
        told: dict[str, Any] = {"version": None, "at": at, "source": "product_events/0", "offset": at, **more}
        return self.stock.set_level(Level("lamp", units, **told))

    def wait(self, milliseconds: int) -> None:
        self.clock.now += milliseconds

    def counted(self, name: str) -> int:
        return int(self.client.hget("counts", name) or 0)
