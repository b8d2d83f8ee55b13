"""What a person sees of a run: one line for each thing done, a spinner while they wait."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table
from rich.text import Text


class Screen:
    """Prints to the terminal; without one the same lines, and no spinner."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, soft_wrap=True)

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Show that something is under way."""
        with self.console.status(Text(f"{what} …")):
            yield

    def done(self, what: str, seen: str, seconds: float) -> None:
        """Say that something is done, what was seen of it and how long it took."""
        took = f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
        self.console.print(Text.assemble(("✓ ", "green"), (f"{took:>7}  ", "dim"), f"{what:<40} ", seen))

    def warn(self, what: str) -> None:
        """Say what went wrong and is being dealt with."""
        self.console.print(Text.assemble(("! ", "yellow"), what))

    def fail(self, what: str) -> None:
        """Say what went wrong."""
        self.console.print(Text.assemble(("✗ ", "red"), what))

    def say(self, what: str) -> None:
        """Say something."""
        self.console.print(Text(what))

    def table(self, rows: Mapping[str, str]) -> None:
        """Show names and where they are."""
        table = Table(show_header=False, box=None, padding=(0, 2))
        for name, where in rows.items():
            table.add_row(Text(name, style="bold"), Text(where))
        self.console.print()
        self.console.print(table)
        self.console.print()


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds until now."""
        return time.monotonic() - self._started
