"""Writes the measured part of docs/benchmarks.md, between its two markers, and the plots that it shows."""

import json
from collections.abc import Mapping

from bench import table
from bench.figures import FIGURES, result
from bench.machine import ROOT
from bench.plots import draw
from bench.results import Record

PAGE = ROOT / "docs" / "benchmarks.md"
IMAGES = ROOT / "docs" / "img"
BEGIN, END = "<!-- measured: written by `python -m bench --docs` -->", "<!-- end of what was measured -->"


def write(records: Mapping[str, Record]) -> None:
    """Write the page and its plots anew."""
    images = draw({name: record.readings for name, record in records.items()}, IMAGES)
    shown = [f"![{about}](img/{path.name})" for about, path in images.items()]
    page = PAGE.read_text()
    PAGE.write_text(put(page, "\n\n".join([measured(records), *shown])))


def put(page: str, text: str) -> str:
    """Return the page with the text between its markers."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


def measured(records: Mapping[str, Record]) -> str:
    """Return the table, and what it was measured on."""
    readings = {name: record.readings for name, record in records.items()}
    lines = [table.markdown([result(figure, readings) for figure in FIGURES]), "", *_where(records)]
    missing = {f"- {reason}" for record in records.values() for reason in record.not_run.values()}
    return "\n".join([*lines, *sorted(missing)])


def _where(records: Mapping[str, Record]) -> list[str]:
    """Return a line for each machine, commit and scale that figures are from."""
    by_place: dict[tuple[str, str, str, int], list[str]] = {}
    for name, record in records.items():
        on = ", ".join(f"{what} {value}" for what, value in record.machine.items())
        runs = max((len(values) for found in record.readings.values() for values in found.values()), default=0)
        place = (on, record.commit, json.dumps(record.scale), runs)
        by_place.setdefault(place, []).append(f"{name} ({record.at[:10]})")
    return [
        f"- {', '.join(names)}: {runs} {'run' if runs == 1 else 'runs'} of each, "
        f"{json.loads(scale)['seconds']:g} s of load, at `{commit}`; {on}."
        for (on, commit, scale, runs), names in by_place.items()
    ]
