"""Kafka as another program of the shop sees it: a producer and a consumer that know nothing of the service."""

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from confluent_kafka import Consumer, Message, Producer, TopicPartition

OUTGOING = ("order_created", "order_updated", "order_deleted", "user_orders")


class Topics:
    """Reads and writes topics of one broker."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": True})

    def send(self, topic: str, value: Any, key: str | None = None, **options: Any) -> None:
        """Send JSON (or bytes, or None as they are), and wait until Kafka has it."""
        raw = value if isinstance(value, bytes) or value is None else json.dumps(value).encode()
        errors: list[object] = []
        self._producer.produce(topic, raw, key, on_delivery=lambda error, _: errors.append(error), **options)
        assert self._producer.flush(20) == 0
        assert errors == [None]

    def send_all(self, topic: str, messages: list[tuple[Any, str]]) -> None:
        """Send many values with their keys, and wait until Kafka has them all."""
        errors: list[object] = []
        for content, key in messages:
            raw = json.dumps(content).encode()
            self._producer.produce(topic, raw, key, on_delivery=lambda error, _: errors.append(error))
        assert self._producer.flush(30) == 0
        assert errors == [None] * len(messages)

    def level(self, product_id: str, units: int, **more: Any) -> None:
        """Send a stock level."""
        self.send("product_events", {"productId": product_id, "stock": units, **more}, product_id)

    @contextmanager
    def reader(self, *topics: str) -> Iterator["Reader"]:
        """Have a consumer that reads these topics from their beginning."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": f"test-{uuid.uuid4()}",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 50,
            }
        )
        found = consumer.list_topics(timeout=10).topics
        consumer.assign(
            [TopicPartition(topic, partition, 0) for topic in topics for partition in found[topic].partitions]
        )
        try:
            yield Reader(consumer)
        finally:
            consumer.close()


class Reader:
    """A consumer of some topics; everything read so far is in `messages`."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self.messages: list[Message] = []

    def wait_for(self, count: int, key: str | None = None, within: float = 20.0) -> list[Message]:
        """Return all messages (with this key) once there are at least `count`; fail where there are not in time."""
        deadline = time.monotonic() + within
        while len(found := self._with(key)) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} messages within {within:g} s"
            self._poll(0.1)
        return found

    def wait_for_ids(self, wanted: set[str], key: str, within: float = 20.0) -> set[str]:
        """Return the events' ids of all messages with this key once all that are `wanted` are among them."""
        deadline = time.monotonic() + within
        while not (found := {headers(message)["ce_id"] for message in self._with(key)}) >= wanted:
            assert time.monotonic() < deadline, f"{sorted(wanted - found)} missing after {within:g} s"
            self._poll(0.1)
        return found

    def drain(self, quiet: float = 1.0) -> list[Message]:
        """Return all messages after none has come for `quiet` seconds."""
        last = time.monotonic()
        while time.monotonic() - last < quiet:
            if self._poll(0.1):
                last = time.monotonic()
        return self.messages

    def _poll(self, seconds: float) -> bool:
        message = self._consumer.poll(seconds)
        if message is None or message.error():
            return False
        self.messages.append(message)
        return True

    def _with(self, key: str | None) -> list[Message]:
        return [message for message in self.messages if key is None or message.key() == key.encode()]


def value(message: Message) -> Any:
    """Return a message's JSON."""
    raw = message.value()
    assert raw is not None
    return json.loads(raw)


def headers(message: Message) -> dict[str, str]:
    """Return a message's headers as text."""
    found = cast("list[tuple[str, bytes | None]]", message.headers() or [])
    return {name: raw.decode(errors="replace") for name, raw in found if raw is not None}
