"""`python -m tests.faults`: every fault against the real processes under load, and a table of what was seen.

Exit code 1 where anything was violated, 130 after Ctrl-C; what was seen so far is shown all the same.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from tests.faults.products import MODES
from tests.faults.registry import FAULTS, FULL, QUICK
from tests.faults.report import evidence, markdown, table
from tests.faults.run import Plan, Run, chosen
from tests.processes import REPOSITORY

WIDTH = 200
ORDERS = 50_000
TABLE = REPOSITORY / ".local" / "faults.md"


def main(words: list[str] | None = None) -> int:
    """Run what the command line asks for; return the exit code."""
    asked = _parser().parse_args(words)
    if asked.list:
        for fault in FAULTS.values():
            print(f"{fault.name}: {fault.description}")
        return 0
    console = Console()
    console.width = max(console.width, WIDTH)
    pace = QUICK if asked.quick else FULL
    plan = Plan(asked.seed, asked.rate, pace, tuple(asked.levels.split(",")))
    faults = chosen(asked.only)
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    console.print(f"seed {plan.seed}, {plan.rate:g} requests a second, everything in {folder}")
    begun = time.monotonic()
    run = Run(plan, folder, console.print)
    try:
        with console.status("starting") as status:
            run.say = lambda line: _say(console, status.update, line)
            with run.started():
                if asked.storm:
                    run.storm(faults, asked.storm)
                else:
                    for fault in faults:
                        times = asked.times if fault.often else min(asked.times, asked.outages)
                        console.print(" | ".join(run.row(fault, times).cells()))
                orders = (0 if asked.storm else ORDERS) if asked.orders is None else asked.orders
                if run.journal.orders_accepted() < orders:
                    run.alone(orders)
    except KeyboardInterrupt:
        return 130
    finally:
        _show(console, run, (time.monotonic() - begun) / 60, folder)
    return int(any(row.violations for row in run.rows))


def _show(console: Console, run: Run, minutes: float, folder: Path) -> None:
    """Show what was seen, however the run ended."""
    orders, writes = run.journal.orders_accepted(), len(run.journal.accepted)
    title = f"{orders} orders, {writes} writes accepted in {minutes:.0f} minutes, seed {run.plan.seed}"
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(markdown(run.rows, title))
    console.print(table(run.rows, title))
    shown = evidence(run.rows)
    for line in shown:
        console.print(line, markup=False, highlight=False, style="red")
    if not shown:
        shutil.rmtree(folder)
    console.print(f"the table: {TABLE.relative_to(REPOSITORY)}{f'; logs and data: {folder}' if shown else ''}")


def _say(console: Console, update: object, line: str) -> None:
    if console.is_terminal:
        update(line)  # type: ignore[operator]
    else:
        console.print(time.strftime("%H:%M:%S"), line, highlight=False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--orders", type=int, help="orders accepted in all, at least; 50,000, or 0 with --storm")
    parser.add_argument("--storm", type=float, default=0, help="seconds of faults at random instead of row by row")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="of everything that is random")
    parser.add_argument("--times", type=int, default=20, help="how often each kill is injected")
    parser.add_argument("--outages", type=int, default=3, help="how often what takes long is injected")
    parser.add_argument("--rate", type=float, default=60, help="requests a second")
    parser.add_argument("--quick", action="store_true", help="short outages")
    parser.add_argument("--levels", default=",".join(MODES), help=f"the product service's ways, of {', '.join(MODES)}")
    parser.add_argument("--list", action="store_true", help="show all faults and end")
    parser.add_argument("only", nargs="*", metavar="fault", help="these alone; after -- with a - before: all but these")
    return parser


if __name__ == "__main__":
    sys.exit(main())
