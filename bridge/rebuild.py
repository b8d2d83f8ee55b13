"""`python -m bridge.rebuild`: what Redis knew of stock and customers, built anew from Kafka and MongoDB.

Levels and logins come from their topics, through the same reading as ever; orders' units from the stored orders, as far
as the levels don't include them. Workers must not run meanwhile: what they move would be counted twice, or not at all.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TypeVar

import redis
from confluent_kafka import KafkaException
from pymongo.collection import Collection
from pymongo.errors import PyMongoError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bridge.incoming import Incoming
from bridge.shapes import UnreadableError, read_login, read_product_event
from bridge.whole_topic import WholeTopic
from models.connections import orders, redis_client
from models.customers import Customers
from models.lost_stock import Hold, LostStock, holds_of
from models.order import OrderDocument
from models.stock import Stock
from models.transitions import TOPICS
from settings import settings
from tasks import app
from tasks.publisher import DELIVERY_TIMEOUT
from tasks.records import LIFETIME

TIMEOUT = 10.0
"""Seconds for one answer of MongoDB or Redis."""

BATCH = 500
T = TypeVar("T")


class Rebuild:
    """One run; `done` counts what was read and restored."""

    def __init__(self, client: "redis.Redis", collection: "Collection[OrderDocument]", brokers: str) -> None:
        self._stock, self._customers = Stock(client), Customers(client)
        self._lost = LostStock(client, self._stock)
        self._orders = collection
        self._brokers = brokers
        self._named: dict[str, set[str]] = defaultdict(set)
        self.done: dict[str, int] = defaultdict(int)

    def run(self, progress: Progress) -> None:
        """Build everything anew. It may be run again at any time, with what is there removed first."""
        self._lost.forget()
        self._read(progress, "product_events", self._levels)
        self._restore_holds(progress)
        for topic in TOPICS.values():
            self._read(progress, topic, self._events)
        self._lost.note_the_rest()
        self._read(progress, "user_logged_in", self._logins)

    def _read(self, progress: Progress, topic: str, take: Callable[[list[Incoming]], None]) -> None:
        whole = WholeTopic(self._brokers, topic)
        bar = progress.add_task(topic, total=whole.length)
        for messages in whole.batches():
            take(messages)
            progress.advance(bar, len(messages))
        progress.update(bar, completed=whole.length)

    def _levels(self, messages: list[Incoming]) -> None:
        for message in messages:
            try:
                level = read_product_event(message)
            except UnreadableError:
                self.done["unreadable messages (they are in the dead letters)"] += 1
                continue
            self._stock.set_level(level)
            self._named[level.product_id].update(level.names)
            self.done["stock levels"] += 1

    def _restore_holds(self, progress: Progress) -> None:
        taking = {"timeline.takes": {"$exists": True}}
        wanted = dict.fromkeys(("timeline", "outbox", "parkedEvents", "discardedEvents", "publishedAt"), 1)
        for order_id, version, holds in self._lost.decided_but_not_stored():
            if not self._orders.count_documents({"_id": order_id, "timeline.version": version}, limit=1):
                self._lost.restore(holds)
                self.done["movements that are not stored yet"] += 1
        bar = progress.add_task("orders in MongoDB", total=self._orders.count_documents(taking))
        for batch in _batches(iter(self._orders.find(taking, wanted))):
            self._lost.restore(hold for order in batch for hold in holds_of(order) if not self._is_named(hold))
            self._lost.remember(batch, LIFETIME)
            self.done["orders that took stock"] += len(batch)
            progress.advance(bar, len(batch))

    def _is_named(self, hold: Hold) -> bool:
        return hold.event_id in self._named[hold.product_id]

    def _events(self, messages: list[Incoming]) -> None:
        ids = [dict(message.headers or ()).get("ce_id") or b"" for message in messages]
        # Kafka's time is that of sending; the delivery report came within the publisher's own limit.
        late = int(DELIVERY_TIMEOUT * 1000)
        self._lost.published(
            [
                (
                    found.decode(errors="replace"),
                    message.topic,
                    message.partition,
                    message.offset,
                    message.timestamp + late,
                )
                for found, message in zip(ids, messages, strict=True)
            ]
        )

    def _logins(self, messages: list[Incoming]) -> None:
        for message in messages:
            try:
                self._customers.learn([read_login(message)])
            except UnreadableError:
                self.done["unreadable messages (they are in the dead letters)"] += 1
                continue
            self.done["logins"] += 1


def _batches(found: Iterator[T]) -> Iterator[list[T]]:
    while batch := list(islice(found, BATCH)):
        yield batch


def _held(client: "redis.Redis") -> tuple[int, int]:
    """Return of how many products a stock is known, and how many orders' units are held."""
    products = holds = 0
    for _ in client.scan_iter("product:*:stock", count=1000):
        products += 1
    for key in client.scan_iter("product:*:holds", count=1000):
        holds += client.hlen(key)
    return products, holds


def _refusal(client: "redis.Redis", *, force: bool) -> str | None:
    if app.control.ping(timeout=2.0):
        return "workers are running: stop them first, for what they move meanwhile would be lost or counted twice"
    if not force and any(True for _ in client.scan_iter("product:*", count=1000)):
        return "Redis knows stock already; --force removes and rebuilds it"
    return None


def main() -> int:
    """Rebuild, and say what was done; 1 where it was refused, 2 where a server is away."""
    parser = argparse.ArgumentParser(prog="python -m bridge.rebuild", description=__doc__)
    parser.add_argument("--force", action="store_true", help="remove the stock that Redis knows, and rebuild it")
    force = parser.parse_args().force
    console = Console(highlight=False, soft_wrap=True)
    chosen, client = settings(), redis_client(TIMEOUT)
    columns = (TextColumn("{task.description:<20}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        client.ping()
        if (refusal := _refusal(client, force=force)) is not None:
            console.print(f"not rebuilt: {refusal}")
            return 1
        rebuild = Rebuild(client, orders(TIMEOUT), chosen.kafka_broker)
        with Progress(*columns, console=console) as progress:
            rebuild.run(progress)
        products, holds = _held(client)
    except (redis.RedisError, PyMongoError, KafkaException) as error:
        console.print(f"stopped half way: {type(error).__name__}: {error}\nrun it again with --force")
        return 2
    for what, count in rebuild.done.items():
        console.print(f"{count:>10,}  {what}")
    console.print(
        f"{products:>10,}  products with a stock\n{holds:>10,}  orders' units held until a level includes them"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
