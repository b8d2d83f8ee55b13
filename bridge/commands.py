"""What operators say to the bridge: `python -m bridge replay …` and `python -m bridge resume …`."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

import redis
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bridge.backlog import Backlog
from bridge.replay import KafkaAwayError, Letter, Letters, Tally, read_letter, replay
from bridge.stops import resume
from models.connections import redis_client
from settings import settings
from tasks.topics import INCOMING, dead_letter_topic

SERVER_TIMEOUT = 10.0
"""Seconds to wait for one answer of Redis."""

FACTS = ("reason", "partition", "offset", "attempts")

Wanted = Callable[[Letter], bool]


def parser() -> argparse.ArgumentParser:
    """Return what reads the words after `python -m bridge`."""
    found = argparse.ArgumentParser(prog="python -m bridge", description="Without a command: run the bridge.")
    commands = found.add_subparsers(dest="command")
    again = commands.add_parser("replay", help="enqueue the dead letters that can be read now")
    again.add_argument("topic", choices=INCOMING)
    again.add_argument(
        "--where",
        action="append",
        default=[],
        type=_condition,
        metavar="FIELD=VALUE",
        help=f"only these letters; FIELD is {', '.join(FACTS)}, key, header.NAME or value.NAME, VALUE may have a *",
    )
    again.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    on = commands.add_parser("resume", help="read stopped partitions on")
    on.add_argument("topic", nargs="?", choices=INCOMING)
    on.add_argument("partition", nargs="?", type=int)
    return found


def run(asked: argparse.Namespace) -> int:
    """Do what was asked for; return the exit code."""
    try:
        return _resume(asked) if asked.command == "resume" else _replay(asked)
    except redis.RedisError as error:
        print(f"Redis does not answer, or refuses: {type(error).__name__}", file=sys.stderr)
    except KafkaAwayError as error:
        print(error, file=sys.stderr)
    return 1


def _resume(asked: argparse.Namespace) -> int:
    resumed = resume(redis_client(SERVER_TIMEOUT), asked.topic, asked.partition)
    for name in resumed:
        print(f"{name}: to be read on")
    if not resumed:
        print("nothing is stopped", file=sys.stderr)
    return 0 if resumed else 1


def _replay(asked: argparse.Namespace) -> int:
    chosen = settings()
    client, tally, exit_code = redis_client(SERVER_TIMEOUT), Tally(), 0
    backlog = Backlog(client, chosen.bridge_queue_mark)
    letters = Letters(chosen.kafka_broker, dead_letter_topic(asked.topic))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=Console(stderr=True)) as progress:
            bar = progress.add_task("dead letters", total=letters.total)
            for messages in letters.batches():
                found = [read_letter(message) for message in messages]
                wanted = [each for each in found if not asked.where or (each and _is_meant(each, asked.where))]
                tally.counts["left"] += len(found) - len(wanted)
                while not asked.dry_run and backlog.full(set()):
                    progress.update(bar, description="waiting for workers")
                    time.sleep(0.5)
                replay(client, wanted, tally, dry_run=asked.dry_run)
                progress.update(bar, description="dead letters", advance=len(found))
    except KeyboardInterrupt:
        print("stopped; what was replayed by then is not replayed again", file=sys.stderr)
        exit_code = 130
    finally:
        _report(tally, asked.dry_run)
    return exit_code


def _report(tally: Tally, dry_run: bool) -> None:
    counts = tally.counts
    print(f"{counts['replayed']} {'would be replayed' if dry_run else 'replayed'}")
    print(f"{counts['superseded']} superseded by something newer")
    print(f"{counts['repeated']} replayed before")
    print(f"{counts['unreadable']} can't be read still")
    for reason, count in tally.unreadable.most_common():
        print(f"  {count}: {reason}")
    if counts["left"]:
        print(f"{counts['left']} not meant by --where")


def _condition(text: str) -> Wanted:
    field, equals, pattern = text.partition("=")
    kind, dot, name = field.partition(".")
    known = field in {*FACTS, "key"} or (kind in {"header", "value"} and dot and name)
    if not equals or not known:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not FIELD=VALUE with a FIELD of {', '.join(FACTS)}, key, header.NAME, value.NAME"
        )
    return lambda letter: any(fnmatchcase(value, pattern) for value in _values(letter, field, kind, name))


def _values(letter: Letter, field: str, kind: str, name: str) -> list[str]:
    original = letter.original
    if field == "key":
        return [] if original.key is None else [original.key.decode(errors="replace")]
    if kind == "header":
        return [(raw or b"").decode(errors="replace") for of, raw in original.headers or () if of == name]
    if kind == "value":
        try:
            told = json.loads(original.value or b"")
        except ValueError:
            return []
        found = told.get(name) if isinstance(told, dict) else None
        return [] if found is None else [found if isinstance(found, str) else json.dumps(found)]
    return [letter.facts[field]] if field in letter.facts else []


def _is_meant(letter: Letter, conditions: Sequence[Wanted]) -> bool:
    return all(condition(letter) for condition in conditions)
