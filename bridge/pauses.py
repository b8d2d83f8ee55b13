"""Which partitions are paused, for three reasons of three widths; one is read on when its last reason has gone."""

from collections.abc import Iterable
from contextlib import suppress

from confluent_kafka import Consumer, KafkaException, TopicPartition

from bridge.incoming import Place


class Pauses:
    """What a consumer is to pause. Change the reasons, then `apply` them."""

    def __init__(self, consumer: Consumer) -> None:
        self.everything = False
        """A server is away."""
        self.topics: set[str] = set()
        """Their queues are full."""
        self.places: set[Place] = set()
        """Too many dead letters came from them."""
        self._consumer = consumer
        self._paused: set[Place] = set()

    def apply(self) -> None:
        """Have the consumer pause and read on as is due."""
        assigned = {(each.topic, each.partition) for each in self._consumer.assignment()}
        due = {place for place in assigned if self.everything or place[0] in self.topics or place in self.places}
        for change, places in ((self._consumer.pause, due - self._paused), (self._consumer.resume, self._paused - due)):
            partitions = [TopicPartition(*place) for place in places & assigned]
            if partitions:
                with suppress(KafkaException):  # of a partition that has gone meanwhile: its next owner sees to it
                    change(partitions)
        self._paused = due

    def assigned(self, partitions: Iterable[TopicPartition]) -> None:
        """Pause what of these is to be, and read the others.

        A partition that was paused when it was lost may still be so: librdkafka forgets that only sometimes.
        """
        if anew := [TopicPartition(each.topic, each.partition) for each in partitions]:
            with suppress(KafkaException):
                self._consumer.resume(anew)
        self._paused -= {(each.topic, each.partition) for each in anew}
        self.apply()
