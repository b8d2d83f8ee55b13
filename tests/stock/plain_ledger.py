"""The rules of docs/stock.md in plain Python: no bound on anything, one list of holds, nothing folded."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from models.movements import Movement
from models.stock import Level, Sent

REPORT = 5000


@dataclass
class Hold:
    units: int
    sent: Sent | None = None


@dataclass
class PlainProduct:
    """One product; `settle_ms` None settles by name alone."""

    units: int
    level: Level | None = None
    holds: dict[str, Hold] = field(default_factory=dict)
    given: list[tuple[int, int]] = field(default_factory=list)
    lost: int = 0
    until: int = -1
    seen: dict[str, int] = field(default_factory=dict)
    heard: int = 0

    @property
    def stock(self) -> int:
        """Units that can be ordered: the level, less what is held, with what was given back on top."""
        return self.units - self.lost - sum(hold.units for hold in self.holds.values()) + sum(n for n, _ in self.given)


class PlainLedger:
    """The stock of some products."""

    def __init__(self, units: dict[str, int], settle_ms: int | None) -> None:
        self.products = {product: PlainProduct(count) for product, count in units.items()}
        self.settle_ms = settle_ms

    def move(self, movement: Movement, now: int) -> bool:
        """Take and give back, all or none; say whether there was enough."""
        if any(self.products[product].stock < units for product, units in movement.takes.items() if units > 0):
            return False
        for product, units in movement.takes.items():
            if units > 0:
                self.products[product].holds[f"{movement.order_id}:{movement.version}"] = Hold(units)
            else:
                self.products[product].given.append((-units, now))
        return True

    def undo(self, movement: Movement) -> None:
        """Forget a movement (that gave nothing back)."""
        for product in movement.takes:
            self.products[product].holds.pop(f"{movement.order_id}:{movement.version}", None)

    def published(self, sent: Sent) -> None:
        """Note the earliest report; settle at once what a level before it included."""
        for id_, units in sent.takes.items():
            product = self.products[id_]
            hold = product.holds.get(sent.event_id)
            if units <= 0 or hold is None or (hold.sent and hold.sent.at <= sent.at):
                continue
            hold.sent = sent
            product.heard = max(product.heard, sent.at)
            if sent.offset <= product.seen.get(f"{sent.topic}/{sent.partition}", -1):
                del product.holds[sent.event_id]
            self._settle_by_time(product)

    def set_level(self, level: Level, now: int) -> None:
        """Store a level where it is the newest; settle what it includes in any case."""
        product = self.products[level.product_id]
        assert level.units is not None
        assert level.read_at is not None
        assert level.counted_by is not None
        newer, surely_older = _compare(level, product.level)
        counted = min(level.counted_by, level.read_at, now)
        if newer:
            product.level, product.units, product.lost = level, level.units, 0
            if product.given and level.read_at + REPORT >= product.given[0][1]:
                product.given = []
            product.heard = max(product.heard, now)
            if self.settle_ms is not None:
                product.until = max(product.until, counted - self.settle_ms)
        before = product.stock
        for topic, partitions in level.seen.items():
            for partition, last in partitions.items():
                place = f"{topic}/{partition}"
                if product.level is level:
                    product.seen[place] = max(last, product.seen.get(place, -1))
                self._drop(product, partial(_is_seen, topic, int(partition), last))
        for name in level.names:
            product.holds.pop(name, None)
        if product.level is not level and not surely_older:
            bound = level.units - sum(hold.units for hold in product.holds.values())
            product.lost += product.stock - max(before, min(product.stock, bound))
        if product.level is level:
            self._settle_by_time(product)

    def settle_quiet(self, now: int) -> None:
        """Settle what was published before the level of each product that nothing was heard of for so long."""
        for product in self.products.values():
            if self.settle_ms is not None and product.level and product.heard <= now - self.settle_ms:
                assert product.level.counted_by is not None
                assert product.level.read_at is not None
                counted = min(product.level.counted_by, product.level.read_at)
                product.until = max(product.until, counted - 1)
                self._settle_by_time(product)

    def _settle_by_time(self, product: PlainProduct) -> None:
        if self.settle_ms is not None:
            self._drop(product, lambda sent: sent.at <= product.until)

    @staticmethod
    def _drop(product: PlainProduct, included: Callable[[Sent], bool]) -> None:
        product.holds = {
            event: hold for event, hold in product.holds.items() if not (hold.sent and included(hold.sent))
        }


def _is_seen(topic: str, partition: int, last: int, sent: Sent) -> bool:
    return (sent.topic, sent.partition) == (topic, partition) and sent.offset <= last


def _compare(level: Level, last: Level | None) -> tuple[bool, bool]:
    """Tell whether a level is newer than the last one, and whether it is surely older."""
    if last is None:
        return True, False
    if level is last:
        return False, False
    if level.version is not None and last.version is not None:
        return level.version > last.version, level.version < last.version
    same_partition = level.source == last.source
    if level.at != last.at:
        return level.at > last.at, same_partition and level.offset < last.offset and level.at < last.at
    return same_partition and level.offset > last.offset, False
