"""Dead letters: what can't be read goes to `<topic>.dlq`, unchanged, with headers that say why and from where."""

from collections.abc import Sequence

from bridge.incoming import Incoming
from tasks.publisher import Delivery, Event, Publisher
from tasks.topics import DEAD_LETTER_MAX_BYTES, dead_letter_topic

DELIVERY_TIMEOUT = 10.0
"""Seconds Kafka has to take dead letters; until it has, their messages count as not read."""

_PREFIX = "dlq_"


class UndeliveredError(Exception):
    """Kafka did not confirm a dead letter."""


class DeadLetters:
    """Where dead letters are laid down."""

    def __init__(self, brokers: str) -> None:
        self._publisher = Publisher(brokers, DELIVERY_TIMEOUT, max_bytes=DEAD_LETTER_MAX_BYTES)

    def lay_down(self, letters: Sequence[tuple[Incoming, str]]) -> None:
        """Send messages with the reason why each can't be read, and return when Kafka has them all.

        Raises
        ------
        UndeliveredError
            where one was not confirmed; laying all of them down again is right.

        """
        events = [
            Event(
                dead_letter_topic(message.topic),
                message.key,
                message.value,
                (*(message.headers or ()), *_why(message, reason)),
            )
            for message, reason in letters
        ]
        # A second longer than the producer itself tries: then every report is in.
        reports = self._publisher.deliver(events, DELIVERY_TIMEOUT + 1)
        confirmed = sum(isinstance(report, Delivery) for report in reports)
        if confirmed < len(events):
            raise UndeliveredError(f"{len(events) - confirmed} of {len(events)} dead letters were not confirmed")


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
