"""A worker that freezes: `python -m tests.tasks.freezing_worker worker -Q orders …`, at the step that `FREEZE` names.

At the first write that comes there its processes stop (SIGSTOP), as those of a machine that is paused. SIGCONT lets
them go on.
"""

import os
import signal
import sys
from typing import Any

from pymongo.collection import Collection

import tasks.moving
from tasks import app

STEPS: dict[str, tuple[Any, str]] = {
    "before stock": (tasks.moving, "call_all"),
    "before order": (Collection, "bulk_write"),
}


def main() -> None:
    """Run the worker of the service, and freeze it once."""
    step = os.environ["FREEZE"]
    owner, name = STEPS.get(step, (Collection, "bulk_write"))
    real = getattr(owner, name)

    def freezing(*args: Any, **options: Any) -> Any:
        setattr(owner, name, real)
        done = real(*args, **options) if step not in STEPS else None
        for pid in (os.getppid(), os.getpid()):
            os.kill(pid, signal.SIGSTOP)
        return done or real(*args, **options)

    setattr(owner, name, freezing)
    app.worker_main(sys.argv[1:])


if __name__ == "__main__":
    main()
