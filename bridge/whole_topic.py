"""All that a topic holds at one moment, from its beginning, read beside every consumer group."""

import time
from collections.abc import Iterator

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from bridge.incoming import Incoming, incoming

TIMEOUT = 10.0
"""Seconds for each answer of Kafka."""

POLL_SECONDS = 0.1
"""How long a poll waits for a whole batch."""

BATCH = 500


class WholeTopic:
    """One topic; `length` is about how many messages it holds."""

    def __init__(self, brokers: str, topic: str) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": brokers,
                "group.id": "order-service-rebuild",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 50,
            }
        )
        partitions = self._consumer.list_topics(topic, TIMEOUT).topics[topic].partitions
        self._left = set(partitions)
        self._places = [TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions]
        ends = [self._consumer.get_watermark_offsets(place, TIMEOUT) for place in self._places]
        self.length = sum(high - low for low, high in ends)

    def batches(self) -> Iterator[list[Incoming]]:
        """Yield all messages, up to the first end of each partition.

        Raises
        ------
        KafkaException
            where Kafka does not answer.

        """
        self._consumer.assign(self._places)
        heard = time.monotonic()
        try:
            while self._left:
                messages = self._consumer.consume(BATCH, POLL_SECONDS)
                heard = time.monotonic() if messages else heard
                if time.monotonic() > heard + TIMEOUT:
                    raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
                for message in messages:
                    error = message.error()
                    if error and error.code() == KafkaError._PARTITION_EOF:
                        self._left.discard(message.partition() or 0)
                    elif error:
                        raise KafkaException(error)
                yield [incoming(message) for message in messages if not message.error()]
        finally:
            self._consumer.close()
