"""Customers: a steady rate of writes over HTTP from a few threads, half of them with an Idempotency-Key.

The rate is kept by the clock, not by the answers: a slot whose time has passed while all customers waited is missed,
and counts against the load that was kept.
"""

import random
import threading
import time
import uuid
from collections import deque
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from tests.faults.caller import Answer, Caller
from tests.faults.journal import Journal, Kind, Write
from tests.faults.products import Products
from tests.processes import eventually

CUSTOMERS = 16
USERS = 40
RETRY_SECONDS = 0.5
GIVE_UP_SECONDS = 150.0
"""How long a customer asks again with the same key; longer than the longest outage."""

LATE = 1.0
"""Seconds after which a slot that nobody took is missed."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One request that was due, and whether it had an answer that is no 5xx."""

    due: float
    answered: bool


class Load:
    """All customers of one run."""

    def __init__(self, port: int, journal: Journal, products: Products, rate: float, seed: int) -> None:
        self.journal = journal
        self._port, self._products, self._seed = port, products, seed
        self._every = 1 / rate
        self._taking = threading.Lock()
        self._due = 0.0
        self._open = threading.Event()
        self._stopped = threading.Event()
        self._busy = 0
        self._recent: deque[str] = deque(maxlen=400)
        self.slots: list[Slot] = []
        self.broken: list[str] = []
        self._threads = [
            threading.Thread(target=self._customer, args=(number,), name=f"customer-{number}", daemon=True)
            for number in range(CUSTOMERS)
        ]
        for thread in self._threads:
            thread.start()

    def resume(self) -> None:
        """Let customers come."""
        self._due = time.monotonic()
        self._open.set()

    def pause(self) -> None:
        """Let no more customers come, and return when those in hand have their answers."""
        self._open.clear()
        eventually(lambda: self._busy == 0, within=GIVE_UP_SECONDS + 30, every=0.05)

    def stop(self) -> None:
        """End all threads, with whatever they have in hand."""
        self._stopped.set()
        self._open.set()
        for thread in self._threads:
            thread.join(timeout=10)

    def kept(self, windows: list[tuple[float, float]]) -> tuple[int, int]:
        """Return how many requests were answered and how many were due in these windows of monotonic time."""
        inside = [slot for slot in self.slots if any(begin <= slot.due < end for begin, end in windows)]
        return sum(slot.answered for slot in inside), len(inside)

    def order(self, caller: Caller, product: str, *, key: str | None, **more: Any) -> Write:
        """Ask for one unit of a product; `poison=True` notes that the order can't be carried out."""
        write = self.journal.wanted("create", key=key, poison=more.pop("poison", False))
        body = {"userId": "user-0", "productId": product, "quantity": 1, "metadata": {"write": write.number}, **more}
        self.send(caller, write, "POST", "/order/create", body)
        return write

    def send(self, caller: Caller, write: Write, method: str, path: str, body: Any = None) -> bool:
        """Send a write, with its key again and again; return whether it had an answer that is no 5xx."""
        give_up = time.monotonic() + GIVE_UP_SECONDS
        while True:
            answer = caller.call(method, path, body, write.key)
            if self._note(write, answer):
                return True
            if write.key is None or self._stopped.is_set() or time.monotonic() > give_up:
                return False
            time.sleep(RETRY_SECONDS)

    def _note(self, write: Write, answer: Answer | None) -> bool:
        if answer is None:
            self.journal.leave_unknown(write, None)
            return False
        status, told = answer
        if status == 202:
            self.journal.accept(write, told["taskId"], told["orderId"])
            if write.kind == "create" and not write.poison:
                self._recent.append(told["orderId"])
        elif status == 503 and told.get("type") == "outcome-unknown":
            self.journal.leave_unknown(write, told.get("taskId"))
        elif status == 503:
            self.journal.refuse()
        elif status >= 500:
            self.journal.leave_unknown(write, None)
            self.broken.append(f"{status} {told.get('type')}")
        return status < 500

    def _customer(self, number: int) -> None:
        rng = random.Random(f"{self._seed}/{number}")
        with closing(Caller(self._port)) as caller:
            while not self._stopped.is_set():
                self._open.wait()
                due = self._take()
                if due is None:
                    continue
                try:
                    time.sleep(max(0.0, due - time.monotonic()))
                    self.slots.append(Slot(due, self._act(caller, rng)))
                finally:
                    self._busy_by(-1)

    def _take(self) -> float | None:
        """Return when the next request is due; note as missed what nobody was there for."""
        with self._taking:
            if not self._open.is_set() or self._stopped.is_set():
                return None
            while self._due < time.monotonic() - LATE:
                self.slots.append(Slot(self._due, answered=False))
                self._due += self._every
            due = self._due
            self._due += self._every
            self._busy += 1  # before anybody can ask whether all are done
            return due

    def _busy_by(self, change: int) -> None:
        with self._taking:
            self._busy += change

    def _act(self, caller: Caller, rng: random.Random) -> bool:
        key = str(uuid.UUID(int=rng.getrandbits(128))) if rng.random() < 0.5 else None
        if not self._recent or rng.random() < 0.7:
            return self._create(caller, rng, key)
        kind, body = self._a_change(rng)
        order_id = rng.choice(self._recent)
        write = self.journal.wanted(kind, key=key, order_id=order_id)
        return self.send(caller, write, "PUT" if kind == "update" else "DELETE", f"/order/{order_id}", body)

    def _create(self, caller: Caller, rng: random.Random, key: str | None) -> bool:
        write = self.journal.wanted("create", key=key)
        wanted = {self._products.pick(rng) for _ in range(rng.choice((1, 1, 2)))}
        body = {
            "userId": f"user-{rng.randrange(USERS)}",
            "items": [{"productId": product, "quantity": rng.randint(1, 3)} for product in sorted(wanted)],
            "metadata": {"write": write.number},
        }
        return self.send(caller, write, "POST", "/order/create", body)

    def _a_change(self, rng: random.Random) -> tuple[Kind, dict[str, Any] | None]:
        what = rng.random()
        if what < 0.2:
            return "delete", None
        if what < 0.45:
            return "update", {"status": "cancelled"}
        if what < 0.6:
            return "update", {"status": rng.choice(("processing", "shipped"))}
        if what < 0.8:
            return "update", {"productId": self._products.pick(rng), "quantity": rng.randint(1, 4)}
        return "update", {"note": f"note {rng.randrange(1000)}"}
