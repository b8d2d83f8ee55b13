"""`python -m tasks parked …` and `python -m tasks malformed …`: what operators do with messages that were set aside.

What a customer wrote is printed with `--body` only.
"""

import argparse
import base64
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import redis
from pymongo.errors import PyMongoError

from models.connections import orders, redis_client
from models.stock import Stock
from tasks import app
from tasks.malformed import Item, Malformed
from tasks.parked import NotPossibleError, Parked, ParkedMessages
from tasks.records import UNACKED

SERVER_TIMEOUT = 10.0
"""Seconds to wait for one answer of MongoDB or Redis."""

T = TypeVar("T")


def main(words: Sequence[str] | None = None) -> int:
    """Do what the words say; return the exit code: 1 where any of it was not possible."""
    asked = _parser().parse_args(words)
    if asked.what in {"requeue", "discard"} and bool(asked.ids) == asked.all:
        print("name the ids, or say --all", file=sys.stderr)
        return 2
    try:
        return _parked(asked) if asked.kind == "parked" else _malformed(asked)
    except (redis.RedisError, PyMongoError) as error:
        print(f"a server does not answer: {type(error).__name__}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tasks", description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    for kind, help_ in (("parked", "messages by their tasks"), ("malformed", "items of queues that are no messages")):
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


def _parked(asked: argparse.Namespace) -> int:
    client = redis_client(SERVER_TIMEOUT)
    messages = ParkedMessages(client)
    if asked.what == "list":
        return _table(
            ("ID", "TASK", "ORDER", "QUEUE", "STARTS", "PARKED AT", "WHY"),
            (_facts(each).values() for each in sorted(messages.all(), key=lambda each: str(each.entry["at"]))),
        )
    every = asked.what != "show" and asked.all
    chosen = list(messages.all()) if every else [messages.find(each) or each for each in asked.ids]
    if asked.what == "show":
        return _each(chosen, lambda each: _show({**_facts(each), "headers": _shown(each.headers)}, each, asked.body))
    if asked.what == "requeue":
        return _each(chosen, lambda each: _done(messages.requeue(each), "requeued", each.task_id))
    stock, collection = Stock(client), orders(SERVER_TIMEOUT)
    return _each(chosen, lambda each: _done(messages.discard(each, collection, stock), "discarded", each.task_id))


def _malformed(asked: argparse.Namespace) -> int:
    items = Malformed(redis_client(SERVER_TIMEOUT))
    found = list(items.all([asked.queue] if asked.queue else _queues()))
    if asked.what == "list":
        return _table(("ID", "FOUND IN", "BYTES"), ((each.digest, each.found_in, len(each.raw)) for each in found))
    if asked.what != "show" and asked.all:
        chosen: list[Item | str] = list(found)
    else:
        known = {each.digest: each for each in found}
        chosen = [known.get(digest, digest) for digest in asked.ids]
    if asked.what == "show":
        return _each(chosen, lambda each: _show_item(each, asked.body))
    if asked.what == "requeue":
        return _each(chosen, lambda each: _done(items.requeue(each), "requeued", each.digest))
    return _each(chosen, lambda each: _done(items.discard(each), "discarded", each.digest))


def _facts(parked: Parked) -> dict[str, Any]:
    entry, headers = parked.entry, parked.headers
    told = (headers.get("task"), parked.order_id, entry["queue"], entry["starts"], entry["at"], entry["reason"])
    return {"id": parked.task_id, **dict(zip(("task", "order", "queue", "starts", "at", "reason"), told, strict=True))}


def _shown(headers: dict[str, Any]) -> dict[str, Any]:
    """Return what does not come from a customer; the representation of a task's arguments may."""
    return {name: headers[name] for name in ("envelope", "accepted_at", "origin", "retries") if name in headers}


def _show(facts: dict[str, Any], parked: Parked, body: bool) -> None:
    if body:
        facts |= {"message": parked.message, "body": _decoded(parked.message)}
    print(json.dumps(facts, indent=2, ensure_ascii=False))


def _decoded(message: dict[str, Any]) -> Any:
    try:
        return json.loads(base64.b64decode(message["body"]))
    except (KeyError, TypeError, ValueError):
        return None


def _show_item(item: Item, body: bool) -> None:
    try:
        why = f"it can go back to {item.as_message()[0]}"
    except NotPossibleError as error:
        why = f"it can't be requeued: {error}"
    shown = f"\n{item.raw.decode(errors='backslashreplace')}" if body else ""
    print(f"{item.digest}: {len(item.raw)} bytes, found in {item.found_in}; {why}{shown}")


def _table(names: Sequence[str], rows: Iterable[Iterable[Any]]) -> int:
    cells = [tuple(names), *(tuple("-" if cell is None else str(cell) for cell in row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _each(chosen: Iterable[T | str], act: Callable[[T], None]) -> int:
    """Act on each; say of which it was not possible, and go on."""
    failed = 0
    for each in chosen:
        try:
            if isinstance(each, str):
                raise NotPossibleError(f"there is no {each}")  # noqa: TRY301
            act(each)
        except NotPossibleError as error:
            failed = 1
            print(_name(each), error, sep=": ", file=sys.stderr)
    return failed


def _name(each: object) -> str:
    return each.task_id if isinstance(each, Parked) else each.digest if isinstance(each, Item) else str(each)


def _done(done: bool, what: str, which: str) -> None:
    if not done:
        raise NotPossibleError("somebody else has dealt with it meanwhile")
    print(f"{what} {which}")


if __name__ == "__main__":
    sys.exit(main())
