"""Dead letters: what can't be read goes to `<topic>.dlq`, unchanged, with headers that say why and from where."""

import logging
import time
from collections.abc import Sequence

from confluent_kafka import KafkaException, Producer

from bridge.incoming import Incoming
from tasks.topics import DEAD_LETTER_MAX_BYTES, dead_letter_topic

DELIVERY_TIMEOUT = 10.0
"""Seconds Kafka has to take dead letters; until it has, their messages count as not read."""

_PREFIX = "dlq_"
_log = logging.getLogger(__name__)


class UndeliveredError(Exception):
    """Kafka did not confirm a dead letter."""


class DeadLetters:
    """Where dead letters are laid down."""

    def __init__(self, brokers: str) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": brokers,
                "enable.idempotence": True,
                "acks": "all",
                "message.max.bytes": DEAD_LETTER_MAX_BYTES,
                "delivery.timeout.ms": int(DELIVERY_TIMEOUT * 1000),
            },
            logger=_log,
        )

    def lay_down(self, letters: Sequence[tuple[Incoming, str]]) -> None:
        """Send messages with the reason why each can't be read, and return when Kafka has them all.

        Raises
        ------
        UndeliveredError
            where one was not confirmed; laying all of them down again is right.

        """
        failures: list[object] = []
        confirmed = 0

        def report(error: object, _: object) -> None:
            nonlocal confirmed
            confirmed += 1
            if error is not None:
                failures.append(error)

        try:
            for message, reason in letters:
                self._producer.produce(
                    dead_letter_topic(message.topic),
                    message.value,
                    message.key,
                    headers=[*(message.headers or ()), *_why(message, reason)],
                    on_delivery=report,
                )
        except (BufferError, KafkaException) as error:
            raise UndeliveredError(str(error)) from error
        deadline = time.monotonic() + DELIVERY_TIMEOUT + 1
        while confirmed < len(letters) and (left := deadline - time.monotonic()) > 0:
            self._producer.poll(left)
        if failures or confirmed < len(letters):
            raise UndeliveredError(str(failures[0]) if failures else "no delivery report came")


def _why(message: Incoming, reason: str) -> list[tuple[str, bytes]]:
    before = [value for name, value in message.headers or () if name == f"{_PREFIX}attempts" and value]
    # A message may come with any header: only a number that could be ours is one.
    attempts = int(before[-1]) + 1 if before and before[-1].isdigit() and len(before[-1]) < 10 else 1
    facts = {
        "reason": reason,
        "topic": message.topic,
        "partition": message.partition,
        "offset": message.offset,
        "timestamp": message.timestamp,
        "attempts": attempts,
    }
    return [(f"{_PREFIX}{name}", str(value).encode()) for name, value in facts.items()]
