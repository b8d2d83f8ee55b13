"""A worker that poisonous writes hurt: `python -m tests.faults.poisoned_worker worker -Q orders …`.

The process that is about to store an order whose note says POISON dies; one whose note says BROKEN can't be stored, for
an error that nobody expects. The service has no hook for that: MongoDB's client is patched before the pool is forked.
"""

import os
import signal
import sys
from typing import Any

from celery.__main__ import main
from pymongo.collection import Collection

STORES = ("insert_one", "insert_many", "update_one", "update_many", "replace_one", "bulk_write")


def _deadly(name: str) -> None:
    real = getattr(Collection, name)

    def store(self: Any, *args: Any, **options: Any) -> Any:
        written = repr(args)
        if "'POISON'" in written:
            os.kill(os.getpid(), signal.SIGKILL)
        if "'BROKEN'" in written:
            raise ValueError("a broken write")
        return real(self, *args, **options)

    setattr(Collection, name, store)


if __name__ == "__main__":
    for each in STORES:
        _deadly(each)
    sys.argv = ["celery", "-A", "tasks", *sys.argv[1:]]
    sys.exit(main())
