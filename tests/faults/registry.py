"""What a fault is, the list of all of them, and the scene it is injected into."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.faults.caller import Caller
from tests.faults.journal import Journal
from tests.faults.load import Load
from tests.faults.outside import Outside
from tests.faults.products import Products
from tests.faults.shop import Shop


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things stay broken, in seconds."""

    frozen: float
    redis_dead: float
    mongod_dead: float
    kafka_dead: float
    parked_within: float
    quiet: float


FULL = Pace(frozen=60, redis_dead=3, mongod_dead=20, kafka_dead=120, parked_within=40, quiet=4)
QUICK = Pace(frozen=5, redis_dead=0.5, mongod_dead=4, kafka_dead=20, parked_within=25, quiet=1)


@dataclass
class Scene:
    """What a fault may reach for."""

    shop: Shop
    load: Load
    journal: Journal
    outside: Outside
    products: Products
    rng: random.Random
    pace: Pace
    signs: "Counter[str]" = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)  # what a fault itself has found

    def caller(self) -> Caller:
        """Return a connection to the API of one's own."""
        return Caller(self.shop.service.port)

    def counters(self) -> "Counter[str]":
        """Return all that was counted so far: by the service's safeguards, and what can be seen from outside."""
        seen = {
            "keys repeated": self.journal.repeated_keys,
            "refused": self.journal.refused,
            "events repeated": self.outside.repeats,
        }
        return Counter({**self.shop.counts(), **seen, **self.signs})


Inject = Callable[[Scene], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault.

    `fires` names what is counted when it was met by its safeguard (`a|b`: one of them is enough). Faults of a storm
    that are `on` different things may happen at the same time. `often` ones are injected as often as kills.
    """

    name: str
    inject: Inject
    fires: tuple[str, ...]
    on: frozenset[str]
    often: bool

    @property
    def description(self) -> str:
        """What it does, in one line."""
        return (self.inject.__doc__ or "").splitlines()[0]


FAULTS: dict[str, Fault] = {}


def fault(*, fires: tuple[str, ...], on: tuple[str, ...], often: bool = False) -> Callable[[Inject], Inject]:
    """Put a function on the list; its name is the fault's."""

    def add(inject: Inject) -> Inject:
        name = inject.__name__.replace("_", " ")
        FAULTS[name] = Fault(name, inject, fires, frozenset(on), often)
        return inject

    return add
