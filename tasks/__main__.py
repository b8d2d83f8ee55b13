"""`python -m tasks parked|malformed|events …`: what operators do with what was set aside.

What a customer wrote is printed with `--body` only.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import redis
from pymongo.errors import PyMongoError

from models.connections import orders, redis_client
from tasks import app, operators
from tasks.operators import Waiting
from tasks.parked import NotPossibleError
from tasks.records import UNACKED

SERVER_TIMEOUT = 10.0
"""Seconds to wait for one answer of MongoDB or Redis."""

KINDS: dict[str, tuple[str, Sequence[str]]] = {
    "parked": ("messages by their tasks", operators.WaitingMessage.columns),
    "malformed": ("items of queues that are no messages", operators.WaitingItem.columns),
    "events": ("events of orders that can't be sent", operators.WaitingEvent.columns),
}


def main(words: Sequence[str] | None = None) -> int:
    """Do what the words say; return the exit code: 1 where any of it was not possible."""
    asked = _parser().parse_args(words)
    if asked.what in {"requeue", "discard"} and bool(asked.ids) == asked.all:
        print("name the ids, or say --all", file=sys.stderr)
        return 2
    try:
        found = list(_found(asked))
        if asked.what == "list":
            _print_table(KINDS[asked.kind][1], (each.row() for each in found if not isinstance(each, str)))
            return 0
        return max([_act(asked, each) for each in found], default=0)
    except (redis.RedisError, PyMongoError) as error:
        print(f"a server does not answer: {type(error).__name__}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tasks", description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    for kind, (help_, _) in KINDS.items():
        whats = kinds.add_parser(kind, help=help_).add_subparsers(dest="what", required=True)
        for what in ("list", "show", "requeue", "discard"):
            command = whats.add_parser(what)
            if kind == "malformed":
                command.add_argument("--queue", choices=_queues(), help="only what was found there")
            if what == "show":
                command.add_argument("ids", nargs="+", metavar="id")
                command.add_argument("--body", action="store_true", help="print all of it, customers' data too")
            elif what != "list":
                command.add_argument("ids", nargs="*", metavar="id")
                command.add_argument("--all", action="store_true")
    return parser


def _queues() -> list[str]:
    return [*(queue.name for queue in app.conf.task_queues), UNACKED]


def _found(asked: argparse.Namespace) -> Iterable[Waiting | str]:
    """Return what is asked for; an id that nothing has, as it is."""
    client, ids = redis_client(SERVER_TIMEOUT), getattr(asked, "ids", None) or None
    if asked.kind == "malformed":
        return operators.waiting_items(client, [asked.queue] if asked.queue else _queues(), ids)
    of_kind = operators.waiting_messages if asked.kind == "parked" else operators.waiting_events
    return of_kind(client, orders(SERVER_TIMEOUT), ids)


def _act(asked: argparse.Namespace, each: Waiting | str) -> int:
    """Do it with this one; say where that is not possible, and return 1."""
    try:
        if isinstance(each, str):
            raise NotPossibleError(f"there is no {each}")  # noqa: TRY301
        if asked.what == "show":
            print(each.shown(asked.body))
        elif each.requeue() if asked.what == "requeue" else each.discard():
            print(f"{asked.what}{'d' if asked.what == 'requeue' else 'ed'} {each.id}")
        else:
            raise NotPossibleError("somebody else has dealt with it meanwhile")  # noqa: TRY301
    except NotPossibleError as error:
        print(each if isinstance(each, str) else each.id, error, sep=": ", file=sys.stderr)
        return 1
    return 0


def _print_table(names: Sequence[str], rows: Iterable[Iterable[Any]]) -> None:
    cells = [tuple(names), *(tuple("-" if cell is None else str(cell) for cell in row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    sys.exit(main())
