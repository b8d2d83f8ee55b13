"""The experiments: each measures a family of figures, one contestant at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.contestants import OURS, Contestant, everyone, peer
from bench.experiments import cpu, drain, growth, latency, levels, memory, reads, throughput
from bench.session import Session


@dataclass(frozen=True)
class Experiment:
    """What is measured, of whom, and in how many runs; `quick` says that QUICK has it, too."""

    name: str
    about: str
    contestants: Sequence[Contestant]
    measure: Callable[[Contestant, Session], dict[str, float]]
    minutes: float
    """How long one run of all its contestants takes on 2 quiet cores."""

    quick: bool = False
    once: bool = False


EXPERIMENTS: Sequence[Experiment] = (
    Experiment("throughput", "POST to stored and on Kafka, saturated", everyone(), throughput.measure, 4, quick=True),
    Experiment("drain", "accepting alone, then draining alone", [OURS, peer("textbook")], drain.measure, 2, quick=True),
    Experiment("latency", "send to Kafka at fixed rates", [OURS, peer("node")], latency.measure, 3, quick=True),
    Experiment("reads", "lists of orders", [OURS, peer("node")], reads.measure, 2),
    Experiment("levels", "stock levels from Kafka to Redis", [OURS, peer("textbook")], levels.measure, 1.5),
    Experiment("cpu", "CPU an order beside the least", [OURS, cpu.VALIDATING, cpu.BARE], cpu.measure, 1.5),
    Experiment("growth", "throughput where a million orders are", growth.CONTESTANTS, growth.measure, 2.5),
    Experiment(
        "memory", "memory after a million orders, and pace by their number", [OURS], memory.measure, 15, once=True
    ),
)
