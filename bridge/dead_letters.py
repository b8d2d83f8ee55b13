"""Dead letters: what can't be read goes to `<topic>.dlq`, unchanged, with headers that say why and from where."""

import json
import logging
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace

from confluent_kafka import KafkaError

from bridge.incoming import Headers, Incoming
from bridge.raw_headers import read_raw_headers
from tasks.publisher import Delivery, Event, Publisher
from tasks.topics import dead_letter_topic

DELIVERY_TIMEOUT = 10.0
"""Seconds Kafka has to take dead letters; until it has, their messages count as not read."""

LARGEST = 100_000_000
"""Bytes: as much as a Kafka client reads. What is too large is for the dead letters' topic to say."""

CUT = 64 * 1024
"""Bytes that are left of the value of a dead letter that its topic refuses as too large, and of its key."""

PREFIX = "dlq_"
HEADER = f"{PREFIX}header"
"""A header that confluent-kafka can't carry, as a JSON object: its place among the others, name and value in base64."""
TRUNCATED = f"{PREFIX}truncated"
"""A header of a dead letter that was cut: how large it was, and where it is whole."""

_TOO_LARGE = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE}
_log = logging.getLogger(__name__)


class UndeliveredError(Exception):
    """Kafka did not confirm a dead letter."""


class DeadLetters:
    """Where dead letters are laid down."""

    def __init__(self, brokers: str) -> None:
        self._brokers = brokers
        self._publisher = Publisher(brokers, DELIVERY_TIMEOUT, max_bytes=LARGEST)

    def lay_down(self, letters: Sequence[tuple[Incoming, str]]) -> None:
        """Send messages with the reason why each can't be read, and return when Kafka has them all.

        One that is too large for its topic is cut, rather than hold up what comes behind it for ever.

        Raises
        ------
        UndeliveredError
            where one was not confirmed; laying all of them down again is right.

        """
        events = [self._event(message, reason) for message, reason in letters]
        for place in self._send(events):
            if self._send([_cut(*letters[place], events[place])]):
                raise UndeliveredError("a dead letter is too large even when it is cut")

    def _send(self, events: Sequence[Event]) -> list[int]:
        """Send events; return the places of those that were refused as too large. Raises `UndeliveredError`."""
        # A second longer than the producer itself tries: then every report is in.
        reports = self._publisher.deliver(events, DELIVERY_TIMEOUT + 1)
        refused = [
            place
            for place, report in enumerate(reports)
            if isinstance(report, KafkaError) and report.code() in _TOO_LARGE
        ]
        confirmed = sum(isinstance(report, Delivery) for report in reports)
        if confirmed + len(refused) < len(events):
            raise UndeliveredError(f"{len(events) - confirmed} of {len(events)} dead letters were not confirmed")
        return refused

    def _event(self, message: Incoming, reason: str) -> Event:
        headers = self._raw(message) if message.headers is None else message.headers
        return Event(
            dead_letter_topic(message.topic),
            message.key,
            message.value,
            (*headers, *_why(replace(message, headers=headers), reason)),
        )

    def _raw(self, message: Incoming) -> Headers:
        """Return the headers of a message that has one whose name is not UTF-8."""
        raw = read_raw_headers(self._brokers, message.topic, message.partition, message.offset)
        if raw is None:
            return ((f"{PREFIX}headers", b"lost: they could not be read again"),)
        return tuple(_carried(place, name, value) for place, (name, value) in enumerate(raw))


def _carried(place: int, name: bytes, value: bytes | None) -> tuple[str, bytes | None]:
    try:
        return name.decode(), value
    except UnicodeDecodeError:
        told = {
            "place": place,
            "name": b64encode(name).decode(),
            "value": None if value is None else b64encode(value).decode(),
        }
        return HEADER, json.dumps(told).encode()


def _cut(message: Incoming, reason: str, event: Event) -> Event:
    """Return a dead letter that fits, and says where the whole message is."""
    value, key = event.value or b"", event.key or b""
    size = sum(len(name) + len(told or b"") for name, told in event.headers)
    where = f"{message.source} at offset {message.offset}"
    _log.error("a dead letter of %d bytes is too large and was cut; the whole message is in %s", len(value), where)
    told = f"of {len(value)} bytes of value, {len(key)} of key and {size} of headers; the whole is in {where}"
    headers = tuple(_why(message, reason)) if size > CUT else event.headers
    return Event(
        event.topic,
        None if event.key is None else key[:CUT],
        None if event.value is None else value[:CUT],
        (*headers, (TRUNCATED, told.encode())),
    )


def _why(message: Incoming, reason: str) -> list[tuple[str, bytes]]:
    before = [value for name, value in message.headers or () if name == f"{PREFIX}attempts" and value]
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
    return [(f"{PREFIX}{name}", str(value).encode()) for name, value in facts.items()]
