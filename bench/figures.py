"""The figures: what each compares, the floor that it must reach and the aim."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.contestants import FASTAPI_IN_TWO, NODE_IN_TWO
from bench.experiments.cpu import BARE, VALIDATING
from bench.experiments.growth import ONE_PRODUCT, STORED
from bench.peer_processes import SERVICE
from bench.quantiles import Spread, ratio, spread
from bench.session import Readings

Verdict = Literal["aim reached", "floor reached", "BELOW THE FLOOR", "not measured"]


@dataclass(frozen=True)
class Side:
    """One side of a comparison: one quantity of some contestants of one experiment.

    Of several contestants the best counts (`how` is max or min), or their sum.
    """

    experiment: str
    quantity: str
    contestants: tuple[str, ...] = (SERVICE,)
    how: Literal["max", "min", "sum"] = "max"

    def values(self, measured: Mapping[str, Readings]) -> list[float]:
        """Return one value a run, none where something of it was not measured."""
        readings = measured.get(self.experiment, {})
        found = [readings[name][self.quantity] for name in self.contestants if self.quantity in readings.get(name, {})]
        if not found or (self.how == "sum" and len(found) < len(self.contestants)):
            return []
        if self.how == "sum":
            return [sum(run) for run in zip(*found, strict=False)]
        best = max if self.how == "max" else min
        return best(found, key=lambda values: spread(values).median)


@dataclass(frozen=True)
class Figure:
    """One line of the table. Against nobody (`theirs` is None) floor and aim are in `unit`, else they are ratios."""

    number: str
    about: str
    ours: Side
    theirs: Side | None
    unit: str
    floor: float
    aim: float
    less_is_better: bool = False


@dataclass(frozen=True)
class Result:
    """A figure as it was measured; what was not measured is None."""

    figure: Figure
    ours: Spread | None
    theirs: Spread | None
    compared: Spread | None
    """Ours through theirs, or ours alone where there is nothing to compare with."""

    @property
    def verdict(self) -> Verdict:
        """Tell what was reached."""
        if self.compared is None:
            return "not measured"
        if _reaches(self.figure, self.compared.median, self.figure.aim):
            return "aim reached"
        return "floor reached" if _reaches(self.figure, self.compared.median, self.figure.floor) else "BELOW THE FLOOR"


def result(figure: Figure, measured: Mapping[str, Readings]) -> Result:
    """Return what the figure is by these readings."""
    ours = figure.ours.values(measured)
    theirs = figure.theirs.values(measured) if figure.theirs else []
    compared: Spread | None = None
    if ours and figure.theirs is None:
        compared = spread(ours)
    elif ours and theirs:
        compared = ratio(ours, theirs)
    return Result(figure, spread(ours) if ours else None, spread(theirs) if theirs else None, compared)


def _reaches(figure: Figure, value: float, mark: float) -> bool:
    return value <= mark if figure.less_is_better else value >= mark


def _through(*peers: str) -> Side:
    return Side("throughput", "orders/s", peers)


_THROUGHPUT = _through(SERVICE)
_CPU = Side("cpu", "CPU an order (µs)")
_BARE = Side("cpu", "CPU an order (µs)", (VALIDATING.name, BARE.name), "sum")


def _node(quantity: str) -> tuple[Side, Side]:
    return Side("latency", quantity), Side("latency", quantity, ("node",))


FIGURES: Sequence[Figure] = (
    Figure(
        "1", "POST to stored and on Kafka, against Node", _THROUGHPUT, _through("node", NODE_IN_TWO.name), "/s", 3, 5
    ),
    Figure("2", "the same against FastAPI", _THROUGHPUT, _through("fastapi", FASTAPI_IN_TWO.name), "/s", 2, 3),
    Figure("3", "the same against Go", _THROUGHPUT, _through("go"), "/s", 1, 1.5),
    Figure("4", "the same against textbook Flask and Celery", _THROUGHPUT, _through("textbook"), "/s", 10, 15),
    Figure(
        "5",
        "accepted by one API process, against the textbook",
        Side("drain", "accepted/s"),
        Side("drain", "accepted/s", ("textbook",)),
        "/s",
        5,
        8,
    ),
    Figure(
        "6",
        "a full queue drained by one worker process, against the textbook",
        Side("drain", "drained/s"),
        Side("drain", "drained/s", ("textbook",)),
        "/s",
        15,
        30,
    ),
    Figure("7a", "send to Kafka at 100 orders/s, p50, against Node", *_node("p50 (ms) at 100/s"), "ms", 1.5, 1, True),
    Figure("7b", "the same, p99", *_node("p99 (ms) at 100/s"), "ms", 1, 0.7, True),
    Figure(
        "8",
        "accept to Kafka while saturated, p99",
        Side("throughput", "accepted to Kafka p99 (ms)"),
        None,
        "ms",
        150,
        50,
        True,
    ),
    Figure(
        "9",
        "stock levels from Kafka to Redis, against one task a level",
        Side("levels", "levels/s"),
        Side("levels", "levels/s", ("textbook",)),
        "/s",
        10,
        30,
    ),
    Figure(
        "10a",
        "GET /order/all?limit=100, against Node",
        Side("reads", "lists of all/s"),
        Side("reads", "lists of all/s", ("node",)),
        "/s",
        2,
        4,
    ),
    Figure(
        "10b",
        "GET /order/<userId> (10 orders), against Node",
        Side("reads", "lists of a user/s"),
        Side("reads", "lists of a user/s", ("node",)),
        "/s",
        1,
        1.5,
    ),
    Figure(
        "11a",
        "POST to Kafka with a million orders stored, against none",
        Side("growth", "orders/s", (STORED.name,)),
        Side("growth", "orders/s"),
        "/s",
        0.8,
        0.95,
    ),
    Figure(
        "11b",
        "the same with a million orders on one product",
        Side("growth", "orders/s", (ONE_PRODUCT.name,)),
        Side("growth", "orders/s"),
        "/s",
        0.8,
        0.95,
    ),
    Figure(
        "12a",
        "memory of the largest part after a million orders",
        Side("memory", "largest (MB)"),
        None,
        "MB",
        200,
        120,
        True,
    ),
    Figure(
        "12b",
        "what GET /order/all over them adds to it",
        Side("memory", "GET /order/all (MB)"),
        None,
        "MB",
        50,
        20,
        True,
    ),
    Figure("13", "CPU an order, against validating and a bare loop", _CPU, _BARE, "µs", 2, 1.3, True),
)
