"""What all measurements of one `python -m bench` share: how large they are, where they work, what is known so far."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

Readings = dict[str, dict[str, list[float]]]
"""What was measured in one experiment: by contestant and by quantity, one number for each run."""

OUTPUT = Path(__file__).parents[1] / ".local" / "bench"


@dataclass(frozen=True)
class Scale:
    """How much is measured: seconds of load, seconds of warming up, connections, and how many are many orders.

    Only where it is `thorough` is there more than the figures need: rates for the plot, and peers in two processes.
    """

    seconds: float = 10.0
    warm: float = 4.0
    connections: int = 64
    many: int = 1_000_000
    thorough: bool = True


QUICK = Scale(seconds=2.0, warm=1.0, many=20_000, thorough=False)


@dataclass
class Session:
    """One call of `python -m bench`; `tell` shows what is being done."""

    scale: Scale
    tell: Callable[[str], None]
    folder: Path
    readings: Readings = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)
    _kept: dict[str, Path] = field(default_factory=dict)

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def kept(self, name: str, fill: Callable[[Path], None]) -> Path:
        """Return a folder that is filled at first use, and kept until the session ends."""
        if name not in self._kept:
            folder = self._stack.enter_context(self.room())
            fill(folder)
            self._kept[name] = folder
        return self._kept[name]

    @contextmanager
    def room(self) -> Iterator[Path]:
        """Have a folder for a run's data, on the disk that the project is on, until the end of the block."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="run-", dir=self.folder, ignore_cleanup_errors=True) as folder:
            yield Path(folder)

    def fresh_logs(self) -> Path:
        """Return an empty folder for a run's logs; it is kept until the next run."""
        logs = self.folder / "logs"
        shutil.rmtree(logs, ignore_errors=True)
        logs.mkdir(parents=True)
        return logs
