"""What a simulated shop came to."""

import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Seen:
    """Units, and the seconds for which units that were there could not be sold.

    `waiting` are those that wait for a next level once all is quiet, `left` those that even that does not bring back.
    """

    sold: int
    sold_twice: int
    unsellable: list[float]
    waiting: int
    left: int


def row(runs: list[Seen]) -> list[str]:
    """Return units sold, sold twice, unsellable for how long (half of them, the longest), waiting."""
    waits = [seconds for run in runs for seconds in run.unsellable] or [0.0]
    sold, twice = sum(run.sold for run in runs), sum(run.sold_twice for run in runs)
    waiting = max(run.waiting for run in runs)
    return [f"{sold:,}", f"{twice:,}", f"{statistics.median(waits):.0f}", f"{max(waits):.0f}", f"{waiting}"]
