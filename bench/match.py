"""Contestants in turns: in each run everyone once, so that what the machine does meanwhile is everyone's."""

import dataclasses
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil
from rich.console import Console
from rich.text import Text

from bench.contestants import Contestant
from bench.experiments import Experiment
from bench.machine import commit, machine
from bench.peer_processes import SERVICE, install, why_not_here
from bench.results import Record, save
from bench.session import Scale, Session
from bench.table import amount

BUSY = 10.0
"""Per cent of the CPU that others may use without being spoken of."""


class Match:
    """One call of `python -m bench`."""

    def __init__(self, console: Console, folder: Path, scale: Scale, only: frozenset[str] | None) -> None:
        self._console, self._folder, self._scale, self._only = console, folder, scale, only
        self._machine, self._commit = machine(), commit()
        self._not_run: dict[str, str] = {}

    def play(self, experiments: Sequence[Experiment], runs: int) -> bool:
        """Measure; return False where somebody could not be run."""
        self._look_around()
        for experiment in experiments:
            self._play(experiment, 1 if experiment.once else runs)
        for reason in sorted(set(self._not_run.values())):
            self._console.print(Text(f"! {reason}", style="bold red"))
        return not self._not_run

    def _look_around(self) -> None:
        """Say so where something else is at work, for then the figures are not worth much."""
        busy = psutil.cpu_percent(1.0)
        if busy > BUSY:
            self._console.print(Text(f"! other programs use {busy:.0f} % of this machine's CPU", style="yellow"))

    def _play(self, experiment: Experiment, runs: int) -> None:
        contestants = [each for each in experiment.contestants if self._can_run(each)]
        # Two frames a second: the spinner lives in the process that makes the load.
        with self._console.status("", refresh_per_second=2) as status:
            shown = ""

            def tell(what: str) -> None:
                status.update(Text(f"{shown}: {what} …"))

            with Session(self._scale, tell, self._folder) as session:
                record = self._record(experiment, session)
                for run in range(runs):
                    # Who comes first changes from run to run.
                    turn = run % max(1, len(contestants))
                    for contestant in [*contestants[turn:], *contestants[:turn]]:
                        shown = f"{experiment.name}, run {run + 1} of {runs}"
                        self._measure(experiment, contestant, session)
                        save(record, self._folder)

    def _measure(self, experiment: Experiment, contestant: Contestant, session: Session) -> None:
        began = time.monotonic()
        found = experiment.measure(contestant, session)
        readings = session.readings.setdefault(contestant.name, {})
        for quantity, value in found.items():
            readings.setdefault(quantity, []).append(value)
        heading = f"✓ {time.monotonic() - began:5.1f} s  {experiment.name}  {contestant.name}: "
        told = ", ".join(f"{quantity} {amount(value)}" for quantity, value in list(found.items())[:4])
        self._console.print(Text(heading + told), soft_wrap=True)

    def _can_run(self, contestant: Contestant) -> bool:
        if self._only is not None and contestant.name not in self._only | {SERVICE}:
            return False
        if contestant.thorough and not self._scale.thorough:
            return False
        if reason := why_not_here(contestant.peer):
            if reason not in self._not_run.values():
                self._console.print(Text(f"! {reason}", style="bold red"))
            self._not_run[contestant.name] = reason
            return False
        install(contestant.peer)
        return True

    def _record(self, experiment: Experiment, session: Session) -> Record:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        scale = dataclasses.asdict(self._scale)
        return Record(experiment.name, now, self._commit, self._machine, scale, session.readings, self._not_run)
