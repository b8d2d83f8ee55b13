"""The Kafka producer, one per process and made after the fork. "Sent" means that Kafka's delivery report arrived."""

import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from confluent_kafka import KafkaException, Message, Producer

from settings import settings

DELIVERY_TIMEOUT = 5.0
"""Seconds after which the producer itself gives an event up; the outbox's sweep looks only at older ones."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """One Kafka message, with the CloudEvents attributes in its headers."""

    topic: str
    key: str
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


class Publisher:
    """A producer whose `deliver` says which events have arrived."""

    def __init__(self, brokers: str) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": brokers,
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 0,
                "delivery.timeout.ms": int(DELIVERY_TIMEOUT * 1000),
                "client.id": f"order-service-{os.getpid()}",
            },
            logger=_log,
        )

    def deliver(self, events: Sequence[Event], timeout: float) -> list[bool]:
        """Send the events in this order; return for each whether its delivery report came within `timeout` seconds."""
        delivered = [False] * len(events)
        reported = 0

        def report(place: int, error: object) -> None:
            nonlocal reported
            reported += 1
            delivered[place] = error is None
            if error is not None:
                _log.warning("%s %s was not delivered: %s", events[place].topic, events[place].key, error)

        for place, event in enumerate(events):

            def on_delivery(error: object, _: Message, place: int = place) -> None:
                report(place, error)

            try:
                self._producer.produce(
                    event.topic, event.value, event.key, headers=list(event.headers), on_delivery=on_delivery
                )
            except (BufferError, KafkaException) as error:
                report(place, error)
        deadline = time.monotonic() + timeout
        while reported < len(events) and (left := deadline - time.monotonic()) > 0:
            try:
                self._producer.poll(left)
            except SystemError as error:
                # A worker that ends raises SystemExit here; confluent-kafka garbles it where it logs (its issue 1708),
                # and Celery would take the garbled one for a failure and acknowledge the task.
                raise SystemExit from error
        return list(delivered)


@cache
def _publisher(_pid: int) -> Publisher:
    return Publisher(settings().kafka_broker)


def publisher() -> Publisher:
    """Return this process's publisher."""
    return _publisher(os.getpid())
