"""The bridge's loop: poll a batch, enqueue it in one pipeline, and only then store its offsets.

A message's offset is stored when its task is in Redis or the message is a dead letter; whatever dies before that, the
message is read again, and its task has the same id.
"""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import redis
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from bridge.backlog import Backlog
from bridge.batch import Batch, sort_out
from bridge.dead_letters import DeadLetters, UndeliveredError
from bridge.incoming import Place
from bridge.pauses import Pauses
from bridge.stops import Stops
from bridge.topic_ids import TopicIds
from tasks.enqueue import enqueue
from tasks.topics import INCOMING
from tasks.transport.scripts import COUNTS

BATCH = 500
POLL_SECONDS = 0.5
"""How long a poll waits for a first message; it returns as soon as there is one."""

_log = logging.getLogger(__name__)


def new_consumer(brokers: str, group: str) -> Consumer:
    """Return a consumer that stores no offset by itself."""
    return Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": True,
            "auto.commit.interval.ms": 1000,
            "enable.auto.offset.store": False,
            "partition.assignment.strategy": "cooperative-sticky",
            # A bridge that was killed keeps its partitions from the others for this long. Heartbeats come from a thread
            # of the client's own, so a slow batch does not cost them.
            "session.timeout.ms": 6000,
            "heartbeat.interval.ms": 2000,
            # A topic that is missing or was deleted is found within this time once it is made.
            "topic.metadata.refresh.interval.ms": 10_000,
        },
        logger=_log,
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """When to pause: above so many messages in a queue, and after so many dead letters in a row of a partition."""

    queue_mark: int
    dead_letters: int


class Bridge:
    """Reads both topics and turns what it reads into tasks."""

    def __init__(
        self, consumer: Consumer, topic_ids: TopicIds, client: "redis.Redis", dead_letters: DeadLetters, limits: Limits
    ) -> None:
        self._consumer = consumer
        self._topic_ids = topic_ids
        self._redis = client
        self._dead_letters = dead_letters
        self._pauses = Pauses(consumer)
        self._backlog = Backlog(client, limits.queue_mark)
        self._stops = Stops(client, limits.dead_letters)

    def run(self, stopped: Callable[[], bool], alive: Callable[[], None]) -> None:
        """Work until `stopped`; `alive` is called once a round."""
        self._consumer.subscribe(list(INCOMING), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)
        try:
            while not stopped():
                alive()
                self._round()
        finally:
            self._consumer.close()

    def _round(self) -> None:
        messages = [message for message in self._consumer.consume(BATCH, POLL_SECONDS) if _is_message(message)]
        begun_anew = self._topic_ids.begin_anew()
        if begun_anew:
            self._stops.begin(begun_anew)
            messages = [message for message in messages if _place(message) not in begun_anew]
        if messages:
            batch = sort_out(messages, self._stops.in_a_row, self._stops.limit)
            try:
                self._pass_on(batch)
            except (redis.RedisError, UndeliveredError) as error:
                self._hold(messages, error)
                return
            self._settle(batch)
        elif self._pauses.everything:
            self._resume_if_redis_answers()
            return
        with suppress(redis.RedisError):  # if it is away, the next batch finds out
            self._look_around()

    def _pass_on(self, batch: Batch) -> None:
        # Redis first: while it is away this is tried again and again, and would lay down the same letters each time.
        if batch.jobs:
            enqueue(self._redis, batch.jobs)
        if batch.letters:
            self._dead_letters.lay_down(batch.letters)
            _log.warning("%d dead letters; the last: %s", len(batch.letters), batch.letters[-1][1])

    def _settle(self, batch: Batch) -> None:
        """Store the offsets of what was passed on."""
        for last in batch.last.values():
            # A partition may have gone to another bridge meanwhile, which reads these again.
            with suppress(KafkaException):
                self._consumer.store_offsets(offsets=[self._topic_ids.position_after(last)])
        self._stops.count(batch.in_a_row, batch.stopped)
        self._pause_at(batch.stopped)
        with suppress(redis.RedisError):
            self._count(dead_letters=len(batch.letters), bridge_paused=len(batch.stopped))

    def _hold(self, messages: list[Message], error: Exception) -> None:
        """Go back to the first message that was not passed on, and read on when Redis answers."""
        if not self._pauses.everything:
            _log.warning("holding %d messages: %s", len(messages), type(error).__name__)
        self._pauses.everything = True
        self._pause_at({_place(message): message.offset() or 0 for message in reversed(messages)})

    def _pause_at(self, offsets: Mapping[Place, int]) -> None:
        """Pause what is to be paused, and go to these offsets, to begin there again."""
        self._pauses.places = self._stops.places
        self._pauses.apply()
        for (topic, partition), offset in offsets.items():
            with suppress(KafkaException):  # of a partition that has gone: its next owner begins there
                self._consumer.seek(TopicPartition(topic, partition, offset))

    def _resume_if_redis_answers(self) -> None:
        try:
            # Not a mere PING: a Redis that is full answers that too.
            self._count(bridge_paused=1)
        except redis.RedisError:
            return
        self._pauses.everything = False
        self._pauses.apply()
        _log.warning("reading on")

    def _look_around(self) -> None:
        """Pause topics whose queues are full, read those on that are not any more, and what operators resume."""
        self._stops.look()
        before, full = self._pauses.topics, self._backlog.full(self._pauses.topics)
        for topic in full - before:
            _log.warning("%s is paused: more than %d messages wait in its queue", topic, self._backlog.mark)
        for topic in before - full:
            _log.warning("%s: reading on", topic)
        self._pauses.topics, self._pauses.places = full, self._stops.places
        self._pauses.apply()
        self._count(bridge_paused=len(full - before))

    def _count(self, **counts: int) -> None:
        for name, count in counts.items():
            if count:
                self._redis.hincrby(COUNTS, name, count)

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign(partitions)
        self._topic_ids.forget(partitions)
        self._stops.begin(_places(partitions))
        self._pauses.assigned(partitions)
        _log.info("reads %s", _names(partitions))

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        with suppress(KafkaException):  # there may be nothing to commit
            consumer.commit(asynchronous=False)
        consumer.incremental_unassign(partitions)
        self._stops.forget(_places(partitions))
        _log.info("reads no longer %s", _names(partitions))

    def _lost(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self._stops.forget(_places(partitions))


def _is_message(message: Message) -> bool:
    error = message.error()
    if error is None:
        return True
    if error.fatal():
        raise KafkaException(error)
    if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
        _log.warning("topic %s is gone; reading on when it is back", message.topic())
    else:
        _log.warning("Kafka: %s", error.str())
    return False


def _place(message: Message) -> Place:
    topic, partition = message.topic(), message.partition()
    assert topic is not None
    assert partition is not None
    return topic, partition


def _places(partitions: list[TopicPartition]) -> set[Place]:
    return {(each.topic, each.partition) for each in partitions}


def _names(partitions: list[TopicPartition]) -> str:
    return ", ".join(f"{each.topic}/{each.partition}" for each in partitions) or "nothing"
