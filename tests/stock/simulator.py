"""Shops in virtual time on the ledger's real scripts: `python -m tests.stock.simulator`.

Customers order and cancel, events are published (late, twice, their reports lost), a product service applies them and
tells its levels as its character is. Measured: units sold twice, and how long units that are there can't be sold.
"""

import argparse
import heapq
import math
import random
import tempfile
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import redis
from rich.console import Console
from rich.table import Table

from local.servers import RedisServer
from models.movements import Movement
from models.stock import Level, Sent, Stock
from tests.stock.outcome import Seen, row
from tests.stock.product_service import PARTITIONS, ProductService
from tests.stock.product_services import BY_NAME, BY_TIME, MINUTE, OUTSIDE, Character

PRODUCT = "lamp"
SETTLE_MS = 30_000
SUPPLY = 60
REST = 7 * MINUTE
START = 1_800_000_000_000


class Simulation:
    """One product of one shop, for so long, and then until it is quiet."""

    def __init__(self, client: "redis.Redis", character: Character, *, settle_ms: float, seed: int) -> None:
        client.flushdb()
        client.set(f"product:{PRODUCT}:stock", SUPPLY)
        self.client, self.character = client, character
        self.random = random.Random(seed)
        self.now = self.end = START
        self.stock = Stock(client, clock=lambda: self.now, settle_ms=settle_ms)
        self.service = ProductService(character.tells, character.ahead, character.keyed, character.versions)
        self.service.units[PRODUCT] = SUPPLY
        self.left, self.sold, self.sold_twice = SUPPLY, 0, 0
        self.orders = self.offset = self.asked = 0
        self.due: list[tuple[int, int, Callable[[], None]]] = []
        self.last_applied: Counter[int] = Counter()
        self.last_arrival: Counter[str] = Counter()
        self.under_way: list[int] = []
        self.paused_until = 0
        self.batch: list[Sent] = []
        self.missing: deque[int] = deque()
        self.unsellable: list[float] = []

    def run(self, minutes: float) -> Seen:
        """Run it, let it come to rest, and have one more level then."""
        self.end = START + int(minutes * MINUTE)
        self._often(2000, self._order)
        self._often(60_000, self._more_units_arrive)
        self._often(1000, self._look, until=math.inf)
        self._often(10_000, self._beat, until=math.inf)
        for every, act in (
            (self.character.counts, self._tell),
            (self.character.every, self._apply_batch),
            (90_000 * self.character.pauses, self._pause),
        ):
            if every:
                self._often(every, act, until=math.inf)
        self._until(self.end + REST)
        waiting = len(self.missing)
        self._more_units_arrive()
        self._until(self.now + REST)
        return Seen(self.sold, self.sold_twice, self.unsellable, waiting, len(self.missing))

    def _until(self, time: int) -> None:
        while self.due[0][0] < time:
            self.now, _, act = heapq.heappop(self.due)
            act()

    def _at(self, time: float, act: Callable[[], None]) -> None:
        # What is due at one moment is done in the order in which it was asked for.
        self.asked += 1
        heapq.heappush(self.due, (int(time), self.asked, act))

    def _in(self, most: float, act: Callable[[], None]) -> None:
        """Do something within so long: mostly soon, sometimes late."""
        self._at(self.now + most * self.random.random() ** 3, act)

    def _often(self, mean: float, act: Callable[[], None], until: float | None = None) -> None:
        def again() -> None:
            if self.now < (self.end if until is None else until):
                act()
                self._often(mean, act, until)

        self._at(self.now + mean * self.random.uniform(0.1, 1.9), again)

    def _order(self) -> None:
        self.orders += 1
        order_id, units = f"order-{self.orders}", self.random.randint(1, 3)
        if self._move(Movement(order_id, 1, f"task-{order_id}", {PRODUCT: units})):
            self.sold += units
            self.sold_twice += max(0, min(units, -self.left))
            published = self._publish(f"{order_id}:1", units, "order_created", self.now)
            if self.random.random() < 0.2:
                self._in(MINUTE, lambda: self._cancel(order_id, units, published))

    def _cancel(self, order_id: str, units: int, published: int) -> None:
        assert self._move(Movement(order_id, 2, f"cancel-{order_id}", {PRODUCT: -units}))
        self._publish(f"{order_id}:2", -units, "order_updated", max(published, self.now))

    def _move(self, movement: Movement) -> bool:
        [decision] = self.stock.move([movement])
        self.left -= 0 if decision.problem else movement.takes[PRODUCT]
        return decision.problem is None

    def _publish(self, event: str, units: int, topic: str, not_before: int) -> int:
        """Have an event sent, some twice, and some reports lost until then; return when it is on Kafka."""
        time = int(max(not_before, self.now) + 5 + self.character.publishing * self.random.random() ** 3)
        repeated = self.random.random() < 0.1
        noted = not (repeated and self.random.random() < 0.5)
        self._at(time, lambda: self._is_sent(event, units, topic, noted=noted))
        if repeated:
            self._at(time + self.random.randint(1, 20_000), lambda: self._is_sent(event, units, topic, noted=True))
        return time

    def _is_sent(self, event: str, units: int, topic: str, *, noted: bool) -> None:
        self.offset += 1
        partition = sum(event.split(":", maxsplit=1)[0].encode()) % PARTITIONS
        sent = Sent(event, {PRODUCT: units}, topic, partition, self.offset, self.now)
        if noted:
            self._in(2000, lambda: self.stock.published([sent]))
        if self.character.every:
            self.batch.append(sent)
        elif self.character.applies:
            # One after the other, each by its time.
            lag = self.character.lag * self.random.random()
            time = max(self.last_applied[partition], int(self.now + lag), self.paused_until)
            self.last_applied[partition] = time
            self._at(time, lambda: self._apply(sent))

    def _apply(self, sent: Sent) -> None:
        if self.service.apply(sent) and self.character.echoes:
            self._tell()

    def _apply_batch(self) -> None:
        batch, self.batch = self.batch, []
        if [product for sent in batch for product in self.service.apply(sent)]:
            self._tell()

    def _pause(self) -> None:
        self.paused_until = self.now + 20_000

    def _more_units_arrive(self) -> None:
        self.left += 25
        self.service.units[PRODUCT] += 25
        self._tell()

    def _tell(self) -> None:
        level = self.service.level(PRODUCT, self.now)
        self._send(level)
        if self.character.replays and self.random.random() < 0.2:
            self._at(self.now + self.random.randint(1, MINUTE), lambda: self._send_again(level))

    def _send_again(self, level: Level) -> None:
        self.service.levels += 1
        self._send(replace(level, offset=self.service.levels))

    def _send(self, level: Level) -> None:
        sent_at = self.now
        self.under_way.append(sent_at)
        arrival = self.now + 20 + self.character.transit * self.random.random() ** 2
        # Those of one partition come one after the other.
        arrival = self.last_arrival[level.source] = max(self.last_arrival[level.source], int(arrival))
        self._at(arrival, lambda: self._arrives(level, sent_at))
        if self.random.random() < 0.05:  # the bridge was killed before its offsets were stored
            self._at(arrival + 3000, lambda: self._set(level))

    def _arrives(self, level: Level, sent_at: int) -> None:
        self.under_way.remove(sent_at)
        self._set(level)

    def _set(self, level: Level) -> None:
        self.stock.set_level(replace(level, read_at=self.now))

    def _beat(self) -> None:
        self.stock.settle_quiet(min([self.now, *(sent_at - 1 for sent_at in self.under_way)]))

    def _look(self) -> None:
        """Note the units that are there and can't be sold; the first that went missing is the first to come back."""
        found: Any = self.client.get(f"product:{PRODUCT}:stock")
        missing = max(0, self.left - int(found))
        while len(self.missing) < missing:
            self.missing.append(self.now)
        while len(self.missing) > missing:
            self.unsellable.append((self.now - self.missing.popleft()) / 1000)


def main() -> None:
    """Run every product service several times and show what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.stock.simulator", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20, help="how long customers order (virtual time)")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each product service")
    asked = parser.parse_args()
    table = Table(
        "settled by", "product service", "units sold", "sold twice", "unsellable: half", "longest (s)", "left"
    )
    with tempfile.TemporaryDirectory() as folder, Console().status("simulating …") as status:
        server = RedisServer(Path(folder) / "redis", arguments=("--appendfsync", "no"))
        server.start()
        try:
            with redis.Redis(port=server.port, decode_responses=True) as client:
                for rule, settle_ms, characters in (
                    ("name", math.inf, BY_NAME),
                    ("time", SETTLE_MS, BY_TIME),
                    ("outside", SETTLE_MS, OUTSIDE),
                ):
                    for character in characters:
                        status.update(f"{rule}: {character.name}")
                        runs = [
                            Simulation(client, character, settle_ms=settle_ms, seed=seed).run(asked.minutes)
                            for seed in range(asked.seeds)
                        ]
                        table.add_row(rule, character.name, *row(runs))
                    table.add_section()
        finally:
            server.stop()
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
