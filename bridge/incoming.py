"""A Kafka message as the bridge reads it, free of Kafka's client, so that reading one needs no Kafka."""

from dataclasses import dataclass
from functools import partial
from typing import cast

from confluent_kafka import OFFSET_INVALID, Message

Headers = tuple[tuple[str, bytes | None], ...]
Place = tuple[str, int]
"""A topic and the number of a partition."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message; `timestamp` is Kafka's, in milliseconds since 1970, `headers` are None where they can't be read."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers | None

    @property
    def place(self) -> Place:
        """The partition it came from."""
        return self.topic, self.partition

    @property
    def source(self) -> str:
        """Where offsets can be compared."""
        return f"{self.topic}/{self.partition}"


def incoming(message: Message) -> Incoming:
    """Return what a message of a consumer says."""
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None
    assert partition is not None
    _, timestamp = message.timestamp()
    return Incoming(
        topic=topic,
        partition=partition,
        offset=OFFSET_INVALID if offset is None else offset,
        timestamp=timestamp,
        key=_bytes(message.key()),
        value=_bytes(message.value()),
        headers=_headers(message),
    )


def _headers(message: Message) -> Headers | None:
    # Where a header's name is not UTF-8, the client sets an error and returns a tuple with a hole in it all the same.
    # A direct call may be too optimised to notice, and the error comes up in whatever runs next; a partial's is not.
    call = partial(message.headers)
    try:
        found = cast("list[tuple[str, str | bytes | None]]", call() or [])
    except SystemError:
        return None
    return tuple((name, _bytes(value)) for name, value in found)


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
