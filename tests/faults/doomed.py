"""Processes that kill themselves at one step, once told to: `python -m tests.faults.doomed <what> <file> <command>`.

`report <file> celery -A tasks worker …` dies right after Kafka's delivery reports, with nothing noted and no write
ended; `outbox <file> celery -A tasks worker …` when it is about to take an event out of an outbox; `offsets <file>
bridge` when it is about to store the offsets of a batch that it has enqueued. Whoever finds the file removes it and
dies with its whole group. The clients of MongoDB and Kafka are patched; the service has no hook.
"""

import os
import runpy
import signal
import sys
from typing import Any

import confluent_kafka
from pymongo.collection import Collection

FILE = ""


def _die_if_told() -> None:
    try:
        os.unlink(FILE)
    except FileNotFoundError:
        return
    os.killpg(0, signal.SIGKILL)


def _is_removal(args: tuple[Any, ...]) -> bool:
    text = repr(args)
    return "'$pull'" in text and "'outbox'" in text


def _doom(name: str) -> None:
    real = getattr(Collection, name)

    def deadly(self: Any, *args: Any, **options: Any) -> Any:
        if _is_removal(args):
            _die_if_told()
        return real(self, *args, **options)

    setattr(Collection, name, deadly)


class DoomedProducer(confluent_kafka.Producer):
    """A producer after whose reports a process may not live."""

    def flush(self, *args: Any, **options: Any) -> int:
        """Wait for the reports, then die if told to."""
        left = super().flush(*args, **options)
        if not left:
            _die_if_told()
        return left


class DoomedConsumer(confluent_kafka.Consumer):
    """A consumer that may not live to store offsets."""

    def store_offsets(self, *args: Any, **options: Any) -> None:
        """Die if told to, else store them."""
        _die_if_told()
        super().store_offsets(*args, **options)


def main(what: str, command: list[str]) -> None:
    """Run the command with its doom."""
    sys.argv = command
    if what == "outbox":
        for name in ("update_one", "update_many", "bulk_write"):
            _doom(name)
        runpy.run_module("celery", run_name="__main__")
    elif what == "report":
        confluent_kafka.Producer = DoomedProducer  # type: ignore[misc]
        runpy.run_module("celery", run_name="__main__")
    else:
        confluent_kafka.Consumer = DoomedConsumer  # type: ignore[misc]
        runpy.run_module("bridge", run_name="__main__")


if __name__ == "__main__":
    FILE = sys.argv[2]
    main(sys.argv[1], sys.argv[3:])
