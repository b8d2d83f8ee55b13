"""The Kafka producer, one per process and made after the fork. "Sent" means that Kafka's delivery report arrived."""

import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import cast

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from settings import settings

DELIVERY_TIMEOUT = 5.0
"""Seconds after which the producer itself gives an event up; the outbox's sweep looks only at older ones."""

REST = 5.0
"""Seconds for which commits leave their events to the sweep after Kafka said nothing."""

FLUSH = 0.05
"""Seconds after which a flush is looked at again: it waits for what an earlier call has given up too."""

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


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery report: where on its topic the event is, and when the report arrived (milliseconds since 1970)."""

    partition: int
    offset: int
    at: int


class Publisher:
    """A producer whose `deliver` says which events have arrived.

    It gives an event up after `give_up_after` seconds, and takes none larger than `max_bytes`.
    """

    def __init__(self, brokers: str, give_up_after: float = DELIVERY_TIMEOUT, max_bytes: int = MAX_BYTES) -> None:
        self._rest_until = 0.0
        self._producer = Producer(
            {
                "bootstrap.servers": brokers,
                "enable.idempotence": True,
                "acks": "all",
                # What is handed over together is sent together: nothing lingers so long, for `flush` sends it at once.
                "linger.ms": 50,
                "delivery.timeout.ms": int(give_up_after * 1000),
                "client.id": f"order-service-{os.getpid()}",
                "message.max.bytes": max_bytes,
            },
            logger=_log,
        )

    def deliver(self, events: Sequence[Event], timeout: float) -> list[Delivery | KafkaError | None]:
        """Send the events in this order.

        Return for each its delivery report; or why Kafka did not take it; or None where neither came within `timeout`
        seconds.
        """
        outcomes: list[Delivery | KafkaError | None] = [None] * len(events)
        reported = 0

        def report(place: int, error: KafkaError | None, message: Message | None = None) -> None:
            nonlocal reported
            reported += 1
            if error is None and message is not None:
                outcomes[place] = Delivery(cast(int, message.partition()), cast(int, message.offset()), _now_ms())
            elif error is not None:
                outcomes[place] = error
                # Without its key: a dead letter's may be anything, an e-mail too.
                _log.warning("a message to %s was not delivered: %s", events[place].topic, error)

        for place, event in enumerate(events):
            try:
                self._producer.produce(
                    event.topic,
                    event.value,
                    event.key,
                    headers=list(event.headers),
                    on_delivery=partial(report, place),
                )
            except KafkaException as error:
                report(place, error.args[0])
            except BufferError:
                report(place, KafkaError(KafkaError._QUEUE_FULL))
        deadline = time.monotonic() + timeout
        while reported < len(events) and (left := deadline - time.monotonic()) > 0:
            try:
                self._producer.flush(min(left, FLUSH))
            except SystemError as error:
                # A worker that ends raises SystemExit here; confluent-kafka garbles it where it logs (its issue 1708),
                # and Celery would take the garbled one for a failure and acknowledge the task.
                raise SystemExit from error
        if events:
            away = all(outcome is None for outcome in outcomes)
            self._rest_until = time.monotonic() + REST if away else 0.0
        return list(outcomes)

    @property
    def resting(self) -> bool:
        """Tell whether Kafka said nothing at all a moment ago, so that it is not worth waiting for it again."""
        return time.monotonic() < self._rest_until


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@cache
def _publisher(_pid: int) -> Publisher:
    return Publisher(settings().kafka_broker)


def publisher() -> Publisher:
    """Return this process's publisher."""
    return _publisher(os.getpid())
