"""The rest of the shop, on Kafka: reads everything there is to read, and plays the product service and the log-ins."""

import json
import random
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

from tests.faults.products import Products
from tests.processes import eventually
from tests.topics import headers

ORDER_TOPICS = ("order_created", "order_updated", "order_deleted")
SOURCES = ("product_events", "user_logged_in")
DEAD_LETTERS = tuple(f"{topic}.dlq" for topic in SOURCES)
GROUP = "order-service"
TELL_SECONDS = 0.5
LOGIN_SECONDS = 0.5
USERS = 8

Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Seen:
    """The first time an event was on Kafka: its topic, and when Kafka got it (ms)."""

    topic: str
    at: int


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that can't be read, or what came of it: as it is, less the headers."""

    topic: str
    key: bytes | None
    value: bytes | None


class Outside:
    """Everything on Kafka but the service."""

    def __init__(self, bootstrap: str, products: Products, seed: int) -> None:
        self.bootstrap, self.products = bootstrap, products
        self.events: dict[str, dict[str, Seen]] = defaultdict(dict)  # order -> ce_id -> first time
        self._touched: set[str] = set()
        self.repeats = 0
        self.dead: list[Letter] = []
        self.poison: list[Letter] = []
        self.user_orders: dict[str, set[str]] = defaultdict(set)  # user -> ce_ids sent because of a login
        self.logins: dict[str, list[tuple[int, str]]] = defaultdict(list)  # user -> time, e-mail, as Kafka has them
        self.undelivered: list[str] = []
        self._rng = random.Random(f"{seed}/outside")
        self._next: dict[Place, int] = {}
        self._certain_at: float | None = None
        self._asked: tuple[float, dict[Place, int]] | None = None  # when, and how far Kafka's partitions went then
        self._telling = threading.Event()
        self._stopped = threading.Event()
        # Long enough to outlive any outage: what was handed to it arrives.
        self._producer = Producer(
            {"bootstrap.servers": bootstrap, "enable.idempotence": True, "delivery.timeout.ms": 600_000}
            | {"message.max.bytes": 2_000_000, "log_level": 0}
        )
        self._thread = threading.Thread(target=self._run, name="outside", daemon=True)

    def start(self) -> None:
        """Tell of all products, and begin to read."""
        self.products.first_levels(self.send_level)
        self._thread.start()

    def tell(self, told: bool) -> None:
        """Have levels and log-ins flow, or stop them."""
        (self._telling.set if told else self._telling.clear)()

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout=20)

    def send_level(self, product_id: str, level: dict[str, Any]) -> None:
        """Send a level of the product service."""
        self.send("product_events", json.dumps(level).encode(), product_id.encode())

    def send(self, topic: str, value: bytes | None, key: bytes | None, **options: Any) -> None:
        """Send a message; it arrives, however long Kafka is away."""

        def report(error: object, _: Message) -> None:
            if error is not None:
                self.undelivered.append(f"{topic}: {error}")

        self._producer.produce(topic, value, key, on_delivery=report, **options)

    def send_poison(self, topic: str, value: bytes | None, key: bytes | None, **options: Any) -> None:
        """Send what nobody can read."""
        self.poison.append(Letter(topic, key, value))
        self.send(topic, value, key, **options)

    def log_in(self, user: str, at: int, email: str) -> None:
        """Send a log-in of this time (ms)."""
        self.send("user_logged_in", json.dumps({"userId": user, "email": email, "time": at}).encode(), user.encode())

    def take_touched(self) -> set[str]:
        """Return the orders of which there was an event since the last call."""
        touched, self._touched = self._touched, set()
        return touched

    def wait_until_read(self, within: float) -> float:
        """Wait until all there is was read here, and all that came in by the bridges; return since when (s)."""
        left = self._producer.flush(within)
        assert left == 0, f"{left} messages could not be sent to Kafka"
        begun = time.time()
        eventually(lambda: (self._certain_at or 0) > begun, within=within, every=0.1)
        asks = Consumer({"bootstrap.servers": self.bootstrap, "group.id": GROUP, "log_level": 0})
        eventually(lambda: not self._unread(asks), within=within, every=0.3)
        asks.close()
        return begun

    def _unread(self, asks: Consumer) -> list[Place]:
        """Return the partitions of which the bridges' group has not confirmed all that was read here."""
        wanted = [TopicPartition(*place) for place, count in self._next.items() if place[0] in SOURCES and count]
        try:
            found = asks.committed(wanted, timeout=5)
        except KafkaException:
            return [("the group", 0)]
        return [(each.topic, each.partition) for each in found if each.offset < self._next[each.topic, each.partition]]

    def _run(self) -> None:
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": "outside",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 50,
                "message.max.bytes": 4_000_000,
                "log_level": 0,
            }
        )
        topics = consumer.list_topics(timeout=20).topics
        wanted = (*ORDER_TOPICS, "user_orders", *SOURCES, *DEAD_LETTERS)
        self._next = {(topic, partition): 0 for topic in wanted for partition in topics[topic].partitions}
        consumer.assign([TopicPartition(topic, partition, 0) for topic, partition in self._next])
        told = logged_in = 0.0
        while not self._stopped.is_set():
            for message in consumer.consume(500, 0.1):
                if message.error() is None:
                    self._read(message)
            self._producer.poll(0)
            self._make_certain(consumer)
            if time.monotonic() - told > TELL_SECONDS:
                told = time.monotonic()
                if self._telling.is_set():
                    self.products.tick(self.send_level, self._certain_at)
            if self._telling.is_set() and time.monotonic() - logged_in > LOGIN_SECONDS:
                logged_in = time.monotonic()
                user, now = f"user-{self._rng.randrange(USERS)}", int(time.time() * 1000)
                self.log_in(user, now, f"{user}-{now}@example.com")
        consumer.close()

    def _make_certain(self, consumer: Consumer) -> None:
        """Ask how much there is on Kafka, and once that was read, note since when nothing can be missing."""
        if self._asked is None:
            begun = time.time()
            try:
                ends = {place: _end(consumer, place) for place in self._next}
            except KafkaException:
                return
            self._asked = begun, ends
        begun, ends = self._asked
        if all(self._next[place] >= end for place, end in ends.items()):
            self._certain_at, self._asked = begun, None

    def _read(self, message: Message) -> None:
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        assert topic is not None
        assert partition is not None
        assert offset is not None
        self._next[topic, partition] = offset + 1
        if topic in DEAD_LETTERS:
            self.dead.append(Letter(topic.removesuffix(".dlq"), _raw(message.key()), _raw(message.value())))
        elif topic in ORDER_TOPICS:
            self._read_event(message, topic, (partition, offset))
        elif topic == "user_orders":
            told = json.loads(message.value() or b"")
            if told["reason"] == "login":
                self.user_orders[told["userId"]].add(headers(message)["ce_id"])
        elif topic == "user_logged_in" and not self._is_poison(message):
            login = json.loads(message.value() or b"")
            self.logins[login["userId"]].append((login["time"], login["email"]))

    def _read_event(self, message: Message, topic: str, place: tuple[int, int]) -> None:
        order, ce_id = json.loads(message.value() or b""), headers(message)["ce_id"]
        known = self.events[order["orderId"]]
        self._touched.add(order["orderId"])
        if ce_id in known:
            self.repeats += 1
        known.setdefault(ce_id, Seen(topic, message.timestamp()[1]))
        self.products.apply(topic, place, ce_id, order)

    def _is_poison(self, message: Message) -> bool:
        letter = Letter("user_logged_in", _raw(message.key()), _raw(message.value()))
        return letter in self.poison


def _end(consumer: Consumer, place: Place) -> int:
    found = consumer.get_watermark_offsets(TopicPartition(*place), timeout=2.0, cached=False)
    if found is None:
        raise KafkaException("Kafka does not answer")
    return found[1]


def _raw(found: str | bytes | None) -> bytes | None:
    return found.encode() if isinstance(found, str) else found
