"""A worker in which a note kills: `python -m tests.tasks.poisoned_worker worker -Q orders …`.

A process of its pool that is handed an order with the note `DEADLY`, or a stock level of the product `DEADLY`, ends by
SIGKILL, as one that runs out of memory.
"""

import os
import signal
import sys
from typing import Any

import models.stock
import tasks.commit
from models.stock import Stock
from tasks import app

DEADLY = "deadly"


def main() -> None:
    """Run the worker of the service with its one weakness."""
    real = vars(tasks.commit)["store"]

    def fatal(writes: Any, stores: Any) -> Any:
        if any(write.body.get("note") == DEADLY for write in writes):
            os.kill(os.getpid(), signal.SIGKILL)
        return real(writes, stores)

    vars(tasks.commit)["store"] = fatal
    real_levels = Stock.set_levels

    def fatal_levels(stock: Stock, levels: Any) -> Any:
        if any(level.product_id == DEADLY for level in levels):
            os.kill(os.getpid(), signal.SIGKILL)
        return real_levels(stock, levels)

    vars(models.stock)["Stock"].set_levels = fatal_levels
    app.worker_main(sys.argv[1:])


if __name__ == "__main__":
    main()
