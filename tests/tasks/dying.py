"""Runs one write or task and is killed (SIGKILL) right after a chosen step of it: `python -m tests.tasks.dying`.

Reads one JSON object a line: `{"write": {...}}` or `{"task": name, "id": id, "kwargs": {...}}`, with `"after": step` or
null. Each runs in a process of its own, whose end is written back as a line.
"""

import json
import os
import signal
import sys
from datetime import datetime
from typing import Any

from pymongo.collection import Collection

import tasks.commit
import tasks.logins
import tasks.moving
import tasks.outbox
from models.customers import Customers
from models.stock import Stock
from models.writes import Write
from tasks import app
from tasks.commit import commit
from tasks.publisher import Publisher
from tasks.stores import open_stores

STEPS: dict[str, tuple[Any, str]] = {
    "stock decided": (tasks.moving, "call_all"),
    "order stored": (Collection, "bulk_write"),
    "event sent": (Publisher, "deliver"),
    "event removed": (Collection, "update_many"),
    "outcome recorded": (tasks.commit, "call_all"),
    "level set": (Stock, "set_levels"),
    "customer learnt": (Customers, "learn"),
    "orders asked for": (tasks.logins, "enqueue"),
}


def _die_after(step: str) -> None:
    owner, name = STEPS[step]
    real = getattr(owner, name)

    def fatal(*args: Any, **options: Any) -> None:
        real(*args, **options)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, fatal)


def _write(told: dict[str, Any]) -> dict[str, Any]:
    write = Write(**{**told, "accepted_at": datetime.fromisoformat(told["accepted_at"])})
    return commit([write], open_stores())[0].as_result()


def _task(task: str, id: str, kwargs: dict[str, Any], **_: Any) -> dict[str, Any]:  # noqa: A002
    app.loader.import_default_modules()
    found = app.tasks[task]
    found.push_request(id=id)
    found.run(**kwargs)
    return {"done": task}


def main() -> None:
    """Run each line's write in a child."""
    # Each has a new producer, and no sweep comes after it: a busy machine may take longer than commits wait.
    tasks.outbox.SEND_NOW_TIMEOUT = 20.0
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            if request["after"]:
                _die_after(request["after"])
            print(json.dumps(_write(request["write"]) if "write" in request else _task(**request)), flush=True)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(json.dumps({"signal": os.WTERMSIG(status)} if os.WIFSIGNALED(status) else {}), flush=True)


if __name__ == "__main__":
    main()
