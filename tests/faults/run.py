"""A run: the service under load, faults row by row or as a storm, and the invariants after each."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import redis
from pymongo.errors import PyMongoError

from local.errors import LocalError
from tests.faults import kills, messages, servers_away  # noqa: F401  they put their faults on the list
from tests.faults.caller import Caller
from tests.faults.checks import Checks, Violation
from tests.faults.journal import Journal
from tests.faults.load import Load
from tests.faults.outside import Outside
from tests.faults.products import PROBED, Products
from tests.faults.quiet import records, settle
from tests.faults.registry import FAULTS, Fault, Pace, Scene
from tests.faults.report import Row
from tests.faults.shop import Shop
from tests.processes import eventually

RECOVERS_WITHIN = 120.0
PROBE_SECONDS = 0.25
SETTLES_WITHIN = 150.0
WAVES_PER_CHECK = 25
AT_ONCE = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is asked for."""

    seed: int
    rate: float  # requests a second
    pace: Pace
    modes: tuple[str, ...]  # of the product service


class Run:
    """One service, its load and everything that was seen of it."""

    def __init__(self, plan: Plan, folder: Path, say: Callable[[str], None]) -> None:
        self.plan, self.say = plan, say
        self.rows: list[Row] = []
        self.shop = Shop(folder)
        self.journal = Journal()
        self.products = Products(plan.modes)
        self.outside = Outside(self.shop.servers.kafka.bootstrap, self.products, plan.seed)
        self.checks = Checks(self.shop, self.journal, self.outside, self.products)
        self.rng = random.Random(plan.seed)

    @contextmanager
    def started(self) -> Iterator["Run"]:
        """Have everything run within the block."""
        try:
            self.shop.start()
            self.outside.start()
            self.load = Load(self.shop.service.port, self.journal, self.products, self.plan.rate, self.plan.seed)
            try:
                self.scene = Scene(
                    self.shop, self.load, self.journal, self.outside, self.products, self.rng, self.plan.pace
                )
                keys = [f"product:{product_id}:stock" for product_id in self.products.all]
                eventually(lambda: self.shop.redis.exists(*keys) == len(keys), within=60)
                self._recover()
                yield self
            finally:
                self.load.stop()
        finally:
            self.outside.stop()
            self.shop.close()

    def row(self, fault: Fault, times: int) -> Row:
        """Inject one fault so many times, each after the service has recovered, and check everything."""
        row = self._begin(fault.name, fault.fires)
        before, windows = self.scene.counters(), list[tuple[float, float]]()
        for number in range(times):
            self.say(f"{fault.name} {number + 1} of {times}")
            self._inject(fault, row)
            row.recoveries.append(self._recover())
            windows.append(self._quiet())
        self._end(row, before, windows)
        return row

    def alone(self, orders: int) -> Row:
        """Run without any fault until so many orders were accepted in all."""
        row = self._begin("none (load alone)")
        begun, before = time.monotonic(), self.scene.counters()
        give_up = begun + 3 * orders / self.plan.rate + 30
        while self.journal.orders_accepted() < orders and time.monotonic() < give_up:
            self.say(f"load alone: {self.journal.orders_accepted()} of {orders} orders")
            time.sleep(1)
        self._end(row, before, [(begun, time.monotonic())])
        return row

    def storm(self, faults: Sequence[Fault], seconds: float | None) -> list[Row]:
        """Inject faults at random, some at once, for so long, or (None) until each had its turn."""
        rows = {fault.name: Row(fault.name) for fault in faults}
        total = self._begin("storm")
        self.rows[-1:-1] = rows.values()
        begun, before, windows, waves = time.monotonic(), self.scene.counters(), list[tuple[float, float]](), 0
        deck = self.rng.sample(faults, len(faults))
        while deck:
            wave = self._wave(deck)
            self.say(f"storm, {time.monotonic() - begun:.0f} s: {' + '.join(fault.name for fault in wave)}")
            with ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(lambda fault: self._inject(fault, rows[fault.name]), wave))
            recovery = self._recover()
            for fault in wave:
                rows[fault.name].recoveries.append(recovery)
            windows.append(self._quiet())
            waves += 1
            if waves % WAVES_PER_CHECK == 0:
                self._check(total)
            if seconds is not None and time.monotonic() - begun > seconds:
                break
            if seconds is not None and not deck:
                deck = self.rng.sample(faults, len(faults))
        total.times = sum(row.times for row in rows.values())
        total.recoveries = [recovery for row in rows.values() for recovery in row.recoveries]
        self._end(total, before, windows)
        return [*rows.values(), total]

    def _wave(self, deck: list[Fault]) -> list[Fault]:
        """Draw faults that may happen at the same time."""
        wave = [deck.pop()]
        for fault in list(deck):
            if len(wave) >= self.rng.randint(1, AT_ONCE):
                break
            if not any(fault.on & other.on for other in wave):
                deck.remove(fault)
                wave.append(fault)
        return wave

    def _begin(self, name: str, fires: tuple[str, ...] = ()) -> Row:
        row = Row(name, fires)
        self.rows.append(row)
        self.journal.row = name
        self.load.resume()
        self.outside.tell(True)
        return row

    def _inject(self, fault: Fault, row: Row) -> None:
        try:
            fault.inject(self.scene)
        except (AssertionError, redis.RedisError, PyMongoError, LocalError) as error:
            row.failures.append(f"{type(error).__name__}: {error}")
        else:
            row.times += 1

    def _recover(self) -> float:
        """Return after how many seconds an order ended well."""
        begun = time.monotonic()
        with closing(self.scene.caller()) as caller:
            passed = self._until_one_ends(caller, begun)
        if passed is None:
            found = f"no order ended well within {RECOVERS_WITHIN:.0f} s after a fault"
            self.rows[-1].violations.append(Violation(self.rows[-1].name, "other", found))
        return RECOVERS_WITHIN if passed is None else passed

    def _until_one_ends(self, caller: Caller, begun: float) -> float | None:
        probes: set[str] = set()
        while (asked := time.monotonic()) < begun + RECOVERS_WITHIN:
            # Without a key: one that is not answered is not worth waiting for.
            probes |= self.load.order(caller, PROBED, key=None).tasks
            while time.monotonic() < asked + PROBE_SECONDS:
                with suppress(redis.RedisError):
                    if any(record and record["status"] == "SUCCESS" for _, record in records(self.shop, probes)):
                        return time.monotonic() - begun
                time.sleep(0.02)
        return None

    def _quiet(self) -> tuple[float, float]:
        begun = time.monotonic()
        time.sleep(self.plan.pace.quiet * self.rng.uniform(0.5, 1.5))
        return begun, time.monotonic()

    def _check(self, row: Row) -> None:
        """Wait until nothing is in motion, compare everything, and go on."""
        self.say(f"{row.name}: checking")
        self.load.pause()
        self.outside.tell(False)
        still = settle(self.shop, self.journal, self.outside, SETTLES_WITHIN)
        row.violations += [Violation(row.name, "other", f"still in motion: {each}") for each in still]
        try:
            row.violations += self.checks.all()
        except AssertionError as error:
            row.violations.append(Violation(row.name, "other", f"it can't be compared: {error}"))
        found = [*self.scene.wrong, *(f"answered with {each}" for each in self.load.broken)]
        row.violations += [Violation(row.name, "other", each) for each in found]
        self.scene.wrong.clear()
        self.load.broken.clear()
        self.load.resume()
        self.outside.tell(True)

    def _end(self, row: Row, before: "Counter[str]", windows: list[tuple[float, float]]) -> None:
        self._check(row)
        row.fired = self.scene.counters() - before
        row.orders = self.journal.orders_accepted(row.name)
        row.answered, row.offered = self.load.kept(windows)


def chosen(names: Sequence[str]) -> list[Fault]:
    """Return the faults of these names, all where none is named; `-` before a name leaves it out."""
    without = {name[1:] for name in names if name.startswith("-")}
    named = [name for name in names if not name.startswith("-")]
    unknown = ({*named} | without) - FAULTS.keys()
    if unknown:
        raise SystemExit(f"no such fault: {', '.join(sorted(unknown))}; there are: {', '.join(FAULTS)}")
    return [fault for fault in FAULTS.values() if fault.name not in without and (not named or fault.name in named)]
