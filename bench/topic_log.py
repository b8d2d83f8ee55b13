"""What has come onto a Kafka topic since one began to look: how much, by cheap questions, and what, read afterwards."""

import time
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

TIMEOUT = 30.0


class Arrival(NamedTuple):
    """One message: its key, and when it was on Kafka (s since 1970), by Kafka's clock.

    Kafka cuts what is less than a millisecond off; the half of one that is lost on average is added.
    """

    key: str
    at: float


def stamp_arrivals(bootstrap: str, topics: list[str]) -> None:
    """Have Kafka stamp each message with the time when it is on the topic, not with its producer's."""
    entry = ConfigEntry("message.timestamp.type", "LogAppendTime", incremental_operation=AlterConfigOpType.SET)
    resources = [ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry]) for topic in topics]
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    for altered in admin.incremental_alter_configs(resources).values():
        altered.result(TIMEOUT)


class TopicLog:
    """One topic from its end as of now."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "bench",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 50,
                "log_level": 0,
            }
        )
        self.topic = topic
        metadata = self._consumer.list_topics(topic, timeout=TIMEOUT).topics[topic]
        self._partitions = list(metadata.partitions)
        self._began = self._ends()
        self._read: dict[int, int] = dict(self._began)
        self.arrivals: list[Arrival] = []

    def count(self) -> int:
        """Return how many messages have come."""
        return sum(self._ends().values()) - sum(self._began.values())

    def read(self) -> list[Arrival]:
        """Read up to the topic's present end; return all that has come."""
        ends = self._ends()
        behind = {partition for partition in self._partitions if self._read[partition] < ends[partition]}
        self._consumer.assign([TopicPartition(self.topic, partition, self._read[partition]) for partition in behind])
        deadline = time.monotonic() + TIMEOUT
        while behind:
            for message in self._consumer.consume(10_000, 0.2):
                assert message.error() is None, message.error()
                partition, offset = message.partition(), message.offset()
                assert partition is not None
                assert offset is not None
                deadline = time.monotonic() + TIMEOUT
                if offset >= ends[partition]:
                    continue
                self.arrivals.append(Arrival((message.key() or b"").decode(), (message.timestamp()[1] + 0.5) / 1000))
                self._read[partition] = offset + 1
            behind = {partition for partition in behind if self._read[partition] < ends[partition]}
            assert time.monotonic() < deadline, f"{self.topic} can't be read to its end"
        self._consumer.unassign()
        return self.arrivals

    def close(self) -> None:
        """Close the connection."""
        self._consumer.close()

    def _ends(self) -> dict[int, int]:
        return {partition: self._end(partition) for partition in self._partitions}

    def _end(self, partition: int) -> int:
        deadline = time.monotonic() + TIMEOUT
        while True:
            try:
                return self._consumer.get_watermark_offsets(TopicPartition(self.topic, partition), timeout=TIMEOUT)[1]
            except KafkaException:
                if time.monotonic() > deadline:  # of a topic that was just made, no broker may be the leader yet
                    raise
                time.sleep(0.1)
