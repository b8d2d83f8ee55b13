"""What a run has shown: one row a fault, as a table on the terminal and as Markdown for the docs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.table import Table

from tests.faults.checks import Violation, What

COLUMNS = (
    "fault",
    "times",
    "orders accepted",
    "lost",
    "doubled",
    "oversold",
    "events missing",
    "other",
    "safeguard fired",
    "load kept",
    "recovers (median, max)",
)
KEPT = 0.9
"""Share of the load that has to be answered between faults."""


@dataclass
class Row:
    """One kind of fault, or a storm of them."""

    name: str
    fires: tuple[str, ...] = ()
    times: int = 0
    orders: int = 0
    fired: "Counter[str]" = field(default_factory=Counter)
    answered: int = 0
    offered: int = 0
    recoveries: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)  # injections that did not come about
    violations: list[Violation] = field(default_factory=list)

    @property
    def untested(self) -> list[str]:
        """Return the safeguards of this fault that did not fire: without them the row shows nothing."""
        return [wanted for wanted in self.fires if not any(self.fired[name] for name in wanted.split("|"))]

    def count(self, what: What) -> int:
        """Return how often this happened."""
        return sum(violation.units for violation in self.violations if violation.what == what)

    def cells(self) -> list[str]:
        """Return the row of the table."""
        counts = [str(self.count(what)) for what in ("lost", "doubled", "oversold", "missing", "other")]
        return [self.name, str(self.times), str(self.orders), *counts, self._fired(), self._kept(), self._recovers()]

    def _fired(self) -> str:
        wanted = [name for alternatives in self.fires for name in alternatives.split("|")]
        shown = [f"{name} {count}" for name, count in self.fired.items() if count and (name in wanted or not wanted)]
        if self.recoveries and (untested := self.untested):
            shown.append(f"NOT TESTED: {', '.join(untested)} 0")
        return ", ".join(shown)

    def _kept(self) -> str:
        if not self.offered:
            return ""
        share = self.answered / self.offered
        return f"{share:.0%}" + (" (!)" if share < KEPT else "")

    def _recovers(self) -> str:
        if not self.recoveries:
            return ""
        ordered = sorted(self.recoveries)
        return f"{ordered[len(ordered) // 2]:.1f} s, {ordered[-1]:.1f} s"


def table(rows: Sequence[Row], title: str) -> Table:
    """Return the table for the terminal."""
    shown = Table(title=title)
    for column in COLUMNS:
        shown.add_column(column, justify="left" if column in {"fault", "safeguard fired"} else "right")
    for row in rows:
        shown.add_row(
            *row.cells(), style="red" if row.violations else "yellow" if row.recoveries and row.untested else ""
        )
    return shown


def markdown(rows: Sequence[Row], title: str) -> str:
    """Return the same for the docs."""
    lines = [f"{title}.", "", f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    lines += [f"| {' | '.join(cell.replace('|', '/') for cell in row.cells())} |" for row in rows]
    return "\n".join(lines) + "\n"


def evidence(rows: Sequence[Row], most: int = 12) -> list[str]:
    """Return what was violated, so many lines a row at the most."""
    lines = []
    for row in rows:
        lines += [f"{each.row} / {each.what}: {each.evidence}" for each in row.violations[:most]]
        if len(row.violations) > most:
            lines.append(f"{row.name}: and {len(row.violations) - most} more")
        lines += [f"{row.name}: not injected: {failure}" for failure in row.failures[:most]]
    return lines
