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

MAX_BYTES = 1_000_000
"""Largest message that is sent; the default of Kafka's clients."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """One Kafka message; ours carry the CloudEvents attributes in their headers."""

    topic: str
    key: str | bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


class Publisher:
    """A producer whose `deliver` says which events have arrived.

    It gives an event up after `give_up_after` seconds, and takes none larger than `max_bytes`.
    """

    def __init__(self, brokers: str, give_up_after: float = DELIVERY_TIMEOUT, max_bytes: int = MAX_BYTES) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": brokers,
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 0,
                "delivery.timeout.ms": int(give_up_after * 1000),
                "client.id": f"order-service-{os.getpid()}",
                "message.max.bytes": max_bytes,
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
                # Without its key: a dead letter's may be anything, an e-mail too.
                _log.warning("a message to %s was not delivered: %s", events[place].topic, error)

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
