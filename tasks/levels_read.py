"""Up to when every stock level that Kafka has is known here: nothing is concluded from a silence that is our own.

With the bridge down or workers behind, a product seems quiet while its levels wait in Kafka or in the queue. So a look
notes where `product_events` ended at that moment; a later look that finds the bridge past those ends, and no level from
before them in the queue or in a worker's hands, knows all levels up to that moment. No clock but ours is believed.
"""

import json
import os
from base64 import b64decode
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, cast

import redis
from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition

KEY = "stock:levels_read"
"""JSON of the last look: when it was (`at`, ms since 1970), and where each partition ended."""

TOPIC = "product_events"
TIMEOUT = 5.0
"""Seconds for each answer of Kafka; without one nothing is concluded."""

WAITING_LIMIT = 1000
"""With more messages in the queue than this, it is not looked through: workers are behind."""

_UNDER_WAY = (Path(__file__).parent / "levels_under_way.lua").read_text()


def until(client: "redis.Redis", brokers: str, group: str, now: datetime) -> int | None:
    """Return the time (ms since 1970) up to which all levels are known, None where that can't be told."""
    at = int(now.timestamp() * 1000)
    try:
        read, ends = _offsets(_bridge_consumer(os.getpid(), brokers, group))
    except KafkaException:
        return None
    noted = cast("str | None", client.get(KEY))
    before = cast("dict[str, Any]", json.loads(noted)) if noted else None
    # Beyond its end: the topic was made anew, and the bridge has not begun it yet.
    if any(read[partition] > end for partition, end in ends.items()):
        return None
    ended = before["ends"] if before else {}
    known = all(read.get(partition, 0) >= end for partition, end in ended.items())
    made_anew = any(ends.get(partition, 0) < end for partition, end in ended.items())
    if before is None or known or made_anew:
        client.set(KEY, json.dumps({"at": at, "ends": ends}))
    if before is None or not known or made_anew:
        return None
    waiting = cast("list[str] | None", client.register_script(_UNDER_WAY)(args=["stock", WAITING_LIMIT]))
    if waiting is None or any(_is_before(message, ended) for message in waiting):
        return None
    return int(before["at"])


@cache
def _bridge_consumer(_pid: int, brokers: str, group: str) -> Consumer:
    # Asks and never subscribes, so it is no member of the group. An AdminClient would end the whole process where the
    # group's coordinator is just moving or starting: https://github.com/confluentinc/librdkafka/issues/5040 (SIGSEGV).
    # Nobody polls it, so it would keep what it logs for ever; others in this process tell of the same trouble.
    settings = {"bootstrap.servers": brokers, "group.id": group, "enable.auto.commit": False, "log_level": 0}
    return Consumer({**settings, "isolation.level": "read_uncommitted"})


def _offsets(consumer: Consumer) -> tuple[dict[str, int], dict[str, int]]:
    """Return how far the bridge has read each partition, and where it ended after that."""
    partitions = consumer.list_topics(TOPIC, timeout=TIMEOUT).topics[TOPIC].partitions
    if not partitions:
        raise KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
    committed = consumer.committed([TopicPartition(TOPIC, partition) for partition in partitions], timeout=TIMEOUT)
    # Where a time is asked for, OFFSET_END stands for the end: one question for all partitions.
    latest = [TopicPartition(TOPIC, partition, OFFSET_END) for partition in partitions]
    ends = consumer.offsets_for_times(latest, timeout=TIMEOUT)
    for place in (*committed, *ends):
        if place.error:
            raise KafkaException(place.error)
    # What has never been read of a partition counts from its beginning.
    read = {str(place.partition): max(0, place.offset) for place in committed}
    return read, {str(place.partition): place.offset for place in ends}


def _is_before(message: str, ends: dict[str, int]) -> bool:
    """Tell whether a waiting message may be of a level before these ends; one that does not say so may be."""
    try:
        envelope = json.loads(message)
        _, told, _ = cast("tuple[Any, dict[str, Any], Any]", json.loads(b64decode(envelope["body"])))
        return bool(told["offset"] < ends[told["source"].removeprefix(f"{TOPIC}/")])
    except (ValueError, KeyError, TypeError):
        return True
