"""Which incarnation of a topic was read: one that was deleted and made anew begins at offset 0 again.

Kafka gives every incarnation an id, and a consumer that kept its offset would silently skip as many messages of the new
one as it had read of the old one. So offsets are committed together with the id of the topic they belong to; where that
is not the id of the topic that is there now, its partitions are read from their beginning.
"""

import logging
import time
from collections.abc import Iterable
from contextlib import suppress

from confluent_kafka import Consumer, KafkaException, Message, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient

from bridge.incoming import Place

LOOK_SECONDS = 5.0
"""How often Kafka is asked for the ids."""

TIMEOUT = 2.0
"""Seconds it has to answer; if it does not, it is asked again later."""

_log = logging.getLogger(__name__)


class TopicIds:
    """The ids of the topics that one consumer reads."""

    def __init__(self, consumer: Consumer, brokers: str) -> None:
        self._consumer = consumer
        self._admin = AdminClient({"bootstrap.servers": brokers}, logger=_log)
        self._read: dict[Place, str] = {}
        self._due = 0.0

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """Ask anew about partitions that are about to be read: another bridge may have read them meanwhile."""
        for each in partitions:
            self._read.pop((each.topic, each.partition), None)
        self._due = 0.0

    def position_after(self, message: Message) -> TopicPartition:
        """Return what to store when a message is done."""
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        assert topic is not None
        assert partition is not None
        assert offset is not None
        topic_id = self._read.get((topic, partition))
        return TopicPartition(topic, partition, offset + 1, topic_id, message.leader_epoch())

    def begin_anew(self) -> frozenset[Place]:
        """Go to the beginning of the partitions whose topic was made anew; return them."""
        if time.monotonic() < self._due or not (assignment := self._consumer.assignment()):
            return frozenset()
        self._due = time.monotonic() + LOOK_SECONDS
        current = self._current({each.topic for each in assignment})
        begun = set()
        try:
            self._recall(assignment, current)
            for each in assignment:
                place, topic_id = (each.topic, each.partition), current.get(each.topic)
                if topic_id is not None and topic_id != self._read[place]:
                    start = TopicPartition(each.topic, each.partition, 0, topic_id)
                    self._consumer.commit(offsets=[start], asynchronous=False)
                    self._consumer.seek(start)
                    self._read[place] = topic_id
                    begun.add(place)
        except KafkaException as error:
            _log.warning("could not make sure which topics were made anew: %s", error)
        if begun:
            _log.warning("made anew, and read from the beginning: %s", sorted(begun))
        return frozenset(begun)

    def _current(self, topics: Iterable[str]) -> dict[str, str]:
        futures = self._admin.describe_topics(TopicCollection(list(topics)), request_timeout=TIMEOUT)
        found = {}
        for topic, future in futures.items():
            with suppress(KafkaException):  # it is gone, or Kafka is: we keep what we know
                found[topic] = str(future.result().topic_id)
        return found

    def _recall(self, assignment: list[TopicPartition], current: dict[str, str]) -> None:
        """Find out to which incarnations the offsets belong at which we began to read."""
        unknown = [each for each in assignment if (each.topic, each.partition) not in self._read]
        for each in self._consumer.committed(unknown, TIMEOUT) if unknown else ():
            self._read[each.topic, each.partition] = each.metadata or current.get(each.topic, "")
