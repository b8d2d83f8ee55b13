"""The table of figures: on the terminal, and as Markdown for the docs."""

from collections.abc import Sequence

from rich.table import Table

from bench.figures import Figure, Result
from bench.quantiles import Spread

HEADINGS = ("", "figure", "ours", "theirs", "ratio", "floor", "aim", "verdict")
_COLORS = {"aim reached": "green", "floor reached": "yellow", "BELOW THE FLOOR": "bold red", "not measured": "dim"}


def rows(results: Sequence[Result]) -> list[list[str]]:
    """Return the table's cells: medians, with the lowest and the highest run in brackets."""
    return [_row(each) for each in results]


def _row(each: Result) -> list[str]:
    figure = each.figure
    ratio = "" if each.compared is None or figure.theirs is None else _ratio(each.compared)
    return [
        figure.number,
        figure.about,
        _measured(each.ours, figure.unit),
        _measured(each.theirs, figure.unit),
        ratio,
        _mark(figure, figure.floor),
        _mark(figure, figure.aim),
        each.verdict,
    ]


def on_screen(results: Sequence[Result]) -> Table:
    """Return the table for a terminal."""
    table = Table(*HEADINGS, title="Medians of all runs (lowest to highest)")
    for cells in rows(results):
        table.add_row(*cells[:-1], f"[{_COLORS[cells[-1]]}]{cells[-1]}[/]")
    return table


def markdown(results: Sequence[Result]) -> str:
    """Return the table as Markdown."""
    lines = [HEADINGS, ["---"] * len(HEADINGS), *rows(results)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def amount(value: float) -> str:
    """Return a number with three digits that count."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _measured(spread: Spread | None, unit: str) -> str:
    if spread is None:
        return ""
    space = "" if unit.startswith("/") else " "
    return f"{amount(spread.median)}{space}{unit} ({amount(spread.lowest)} to {amount(spread.highest)})"


def _ratio(ratio: Spread) -> str:
    return f"{ratio.median:.2f}x ({ratio.lowest:.2f} to {ratio.highest:.2f})"


def _mark(figure: Figure, mark: float) -> str:
    bound = "at most " if figure.less_is_better else ""
    return f"{bound}{mark:g}x" if figure.theirs else f"{bound}{mark:g} {figure.unit}"
