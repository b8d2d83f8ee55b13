"""A worker that a poisonous write kills: `python -m tests.faults.poisoned_worker worker -Q orders …`.

What dies is the process that stores an order whose note says POISON, just before it does. The service itself has no
hook for that: MongoDB's client is patched before the worker's processes are forked.
"""

import os
import signal
import sys
from typing import Any

from celery.__main__ import main
from pymongo.collection import Collection

STORES = ("insert_one", "update_one", "replace_one", "bulk_write")


def _deadly(name: str) -> None:
    real = getattr(Collection, name)

    def store(self: Any, *args: Any, **options: Any) -> Any:
        if "'POISON'" in repr(args):
            os.kill(os.getpid(), signal.SIGKILL)
        return real(self, *args, **options)

    setattr(Collection, name, store)


if __name__ == "__main__":
    for each in STORES:
        _deadly(each)
    sys.argv = ["celery", "-A", "tasks", *sys.argv[1:]]
    sys.exit(main())
