"""`python -m bench`, `make bench`: the service beside its peers; see bench/README.md."""

import argparse
import dataclasses
import signal
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import documents, table
from bench.checks import WrongBooksError
from bench.experiments import EXPERIMENTS, Experiment
from bench.figures import FIGURES, result
from bench.match import Match
from bench.results import load
from bench.session import OUTPUT, QUICK, Scale
from local.errors import LocalError

RUNS = 5
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for, and show the table."""
    chosen = _parser().parse_args(arguments)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    folder = OUTPUT / "quick" if chosen.quick else OUTPUT
    if chosen.list:
        console.print(_list())
        return 0
    if chosen.docs:
        documents.write(load(OUTPUT))
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        complete = Match(console, folder, _scale(chosen), _only(chosen.contestants)).play(
            _experiments(chosen), chosen.runs or (1 if chosen.quick else RUNS)
        )
    except (WrongBooksError, LocalError, TimeoutError) as error:
        console.print(f"[bold red]✗[/] {error}")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    measured = {name: record.readings for name, record in load(folder).items()}
    asked = {experiment.name for experiment in _experiments(chosen)}
    console.print(table.on_screen([result(each, measured) for each in FIGURES if each.ours.experiment in asked]))
    console.print(f"Readings: {folder}")
    return 0 if complete else 3


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the service beside its peers.")
    names = [experiment.name for experiment in EXPERIMENTS]
    parser.add_argument("--only", nargs="+", choices=names, metavar="EXPERIMENT", help=", ".join(names))
    everyone = sorted({contestant.name for experiment in EXPERIMENTS for contestant in experiment.contestants})
    parser.add_argument(
        "--contestants",
        nargs="+",
        choices=everyone,
        metavar="NAME",
        help=f"the service and these: {', '.join(everyone)}",
    )
    parser.add_argument("--runs", type=int, help=f"runs of each contestant, alternating ({RUNS})")
    parser.add_argument("--seconds", type=float, help=f"seconds of load in each run ({Scale.seconds:g})")
    parser.add_argument("--connections", type=int, help=f"connections of the load ({Scale.connections})")
    parser.add_argument("--many", type=int, help=f"how many are a million orders ({Scale.many})")
    parser.add_argument("--quick", action="store_true", help="small and once: does it work, and roughly how well?")
    parser.add_argument("--list", action="store_true", help="show experiments, contestants and figures")
    parser.add_argument(
        "--docs", action="store_true", help="write docs/benchmarks.md and its plots from the last readings"
    )
    return parser


def _experiments(chosen: argparse.Namespace) -> list[Experiment]:
    if chosen.only:
        return [experiment for experiment in EXPERIMENTS if experiment.name in chosen.only]
    return [experiment for experiment in EXPERIMENTS if experiment.quick or not chosen.quick]


def _scale(chosen: argparse.Namespace) -> Scale:
    asked: dict[str, Any] = {name: getattr(chosen, name) for name in ("seconds", "connections", "many")}
    scale = QUICK if chosen.quick else Scale()
    return dataclasses.replace(scale, **{name: value for name, value in asked.items() if value is not None})


def _only(names: Sequence[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)


def _list() -> Table:
    listed = Table("experiment", "what", "contestants", "figures", "minutes a run")
    for experiment in EXPERIMENTS:
        contestants = ", ".join(contestant.name for contestant in experiment.contestants)
        figures = ", ".join(figure.number for figure in FIGURES if figure.ours.experiment == experiment.name)
        listed.add_row(experiment.name, experiment.about, contestants, figures, f"{experiment.minutes:g}")
    return listed


if __name__ == "__main__":
    sys.exit(main())
