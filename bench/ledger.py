"""How long the stock ledger's scripts keep Redis busy with very many orders of one product: `python -m bench.ledger`.

Of each call the processor time of Redis' main thread is taken: other work on the machine is no part of it.
"""

import argparse
import math
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any, Literal

import redis
from rich.console import Console
from rich.table import Table

from local.servers import RedisServer
from models.movements import Movement
from models.stock import FOLD_AFTER_MS, Level, Sent, Stock

PRODUCT = "lamp"
BATCH = 500
"""Orders that are moved and noted at once, as a worker does."""

SETTLE_MS = 30_000
NOW = 1_800_000_000_000


class MeasuredRedis(redis.Redis):
    """A client that knows how long (ms) each script call has kept Redis busy, by the script's sha."""

    def __init__(self, **options: Any) -> None:
        super().__init__(decode_responses=True, **options)
        self._side = redis.Redis(decode_responses=True, **options)
        self.calls: dict[str, list[float]] = defaultdict(list)

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Measure scripts, pass on everything else."""
        if args[0] != "EVALSHA":
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        before = self._busy()
        answer = super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        self.calls[str(args[1])].append(self._busy() - before)
        return answer

    def pipeline(self, *_: Any, **__: Any) -> Any:
        """Return one that sends each call by itself, to be measured by itself."""
        return OneByOne(self)

    def _busy(self) -> float:
        told: dict[str, Any] = self._side.info("cpu")
        return 1000 * float(told["used_cpu_user_main_thread"] + told["used_cpu_sys_main_thread"])


class OneByOne:
    """What is used as a pipeline, and sends each script call by itself."""

    def __init__(self, client: MeasuredRedis) -> None:
        self._client = client
        self._answers: list[Any] = []

    def __enter__(self) -> "OneByOne":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def evalsha(self, *words: Any) -> None:
        """Call a script now."""
        try:
            self._answers.append(self._client.evalsha(*words))
        except redis.ResponseError as error:
            self._answers.append(error)

    def execute(self, *, raise_on_error: bool) -> list[Any]:  # noqa: ARG002
        """Return the answers, errors among them."""
        return self._answers


class Crowd:
    """Very many orders of one product, first taken and published, then settled in every way there is."""

    def __init__(self, client: MeasuredRedis, holds: int, settle: Literal["timed", "named"]) -> None:
        self.now, self.holds, self.client = NOW, holds, client
        self.stock = Stock(client, clock=lambda: self.now, settle_ms=SETTLE_MS if settle == "timed" else math.inf)
        client.set(f"product:{PRODUCT}:stock", holds + 1000)

    def take(self) -> None:
        """Take and publish them; the first half was published over the hours before, and is noted late."""
        for first in range(0, self.holds, BATCH):
            numbers = range(first, min(first + BATCH, self.holds))
            self.stock.move([self._movement(number) for number in numbers])
            self.stock.published([self._sent(number) for number in numbers])

    def settle(self) -> None:
        """Have levels that name some, have seen some, and are late enough for the rest; undo one on the way."""
        self.stock.move([Movement("undone", 1, "task", {PRODUCT: 1})])
        self.stock.undo("undone", 1, "task")
        some = [f"order-{number}:1" for number in range(self.holds - 1000, self.holds)]
        self._level(names=some)
        self.now += 1000
        self._level(seen={"order_created": {"0": self.holds * 3 // 4}})
        self.now += 2 * SETTLE_MS
        self.stock.settle_quiet(self.now)
        self._level(seen={"order_created": {"0": self.holds}})

    def _level(self, **told: Any) -> None:
        self.stock.set_level(Level(PRODUCT, 1000, None, self.now, "product_events/0", self.now, **told))

    def _movement(self, number: int) -> Movement:
        return Movement(f"order-{number}", 1, f"order-{number}", {PRODUCT: 1})

    def _sent(self, number: int) -> Sent:
        ago = max(0, self.holds // 2 - number) * 6 * FOLD_AFTER_MS // self.holds
        return Sent(f"order-{number}:1", {PRODUCT: 1}, "order_created", 0, number, self.now - ago)


def busy(client: MeasuredRedis, holds: int, settle: Literal["timed", "named"]) -> dict[str, list[float]]:
    """Have so many holds and settle them all; return how long (ms) the calls of each script were, the longest first."""
    crowd = Crowd(client, holds, settle)
    crowd.take()
    crowd.settle()
    assert client.get(f"product:{PRODUCT}:stock") == "1000"
    assert client.hlen(f"product:{PRODUCT}:holds") == 0
    return {
        name: sorted(client.calls[script.sha], reverse=True)
        for name, script in crowd.stock.scripts.items()
        if script.sha in client.calls
    }


def main() -> None:
    """Measure and show a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.ledger", description=__doc__)
    parser.add_argument("--holds", type=int, default=1_000_000, help="orders of one product (default: a million)")
    holds = parser.parse_args().holds
    console = Console()
    table = Table("settled", "script", "calls", "longest (ms)", "99 % within", "half within", title=f"{holds:,} holds")
    for settle in ("timed", "named"):
        with tempfile.TemporaryDirectory() as folder, console.status(f"settled by {settle} rules …"):
            server = RedisServer(Path(folder) / "redis", arguments=("--appendfsync", "no"))
            server.start()
            try:
                with MeasuredRedis(port=server.port) as client:
                    for name, times in busy(client, holds, settle).items():
                        shown = (times[0], times[len(times) // 100], times[len(times) // 2])
                        table.add_row(settle, name, f"{len(times):,}", *(f"{each:.1f}" for each in shown))
            finally:
                server.stop()
    console.print(table)


if __name__ == "__main__":
    main()
