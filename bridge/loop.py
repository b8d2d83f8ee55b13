"""The bridge's loop: poll a batch, enqueue it in one pipeline, and only then store its offsets.

A message's offset is stored when its task is in Redis or the message is a dead letter; whatever dies before that, the
message is read again, and its task has the same id.
"""

import logging
from collections.abc import Callable
from contextlib import suppress

import redis
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from bridge.dead_letters import DeadLetters, UndeliveredError
from bridge.incoming import Incoming, incoming
from bridge.jobs import job_for
from bridge.shapes import UnreadableError
from bridge.topic_ids import Place, TopicIds
from tasks.enqueue import Job, enqueue
from tasks.topics import INCOMING

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


class Bridge:
    """Reads both topics and turns what it reads into tasks."""

    def __init__(
        self, consumer: Consumer, topic_ids: TopicIds, client: "redis.Redis", dead_letters: DeadLetters
    ) -> None:
        self._consumer = consumer
        self._topic_ids = topic_ids
        self._redis = client
        self._dead_letters = dead_letters
        self._waiting = False

    def run(self, stopped: Callable[[], bool], alive: Callable[[], None]) -> None:
        """Work until `stopped`; `alive` is called once a round."""
        self._consumer.subscribe(
            list(INCOMING), on_assign=self._assigned, on_revoke=self._revoked, on_lost=lambda *_: None
        )
        try:
            while not stopped():
                alive()
                self._round()
        finally:
            self._consumer.close()

    def _round(self) -> None:
        messages = [message for message in self._consumer.consume(BATCH, POLL_SECONDS) if _is_message(message)]
        begun_anew = self._topic_ids.begin_anew()
        messages = [message for message in messages if _place(message) not in begun_anew]
        if self._waiting and not messages:
            self._resume_if_redis_answers()
            return
        if not messages:
            return
        try:
            self._pass_on(messages)
        except (redis.RedisError, UndeliveredError) as error:
            self._hold(messages, error)
            return
        for last in {_place(message): message for message in messages}.values():
            # A partition may have gone to another bridge meanwhile, which reads these again.
            with suppress(KafkaException):
                self._consumer.store_offsets(offsets=[self._topic_ids.position_after(last)])

    def _pass_on(self, messages: list[Message]) -> None:
        jobs: list[Job] = []
        unreadable: list[tuple[Incoming, str]] = []
        for message in map(incoming, messages):
            try:
                jobs.append(job_for(message))
            except UnreadableError as error:
                unreadable.append((message, str(error)))
        # Redis first: while it is away this is tried again and again, and would lay down the same letters each time.
        if jobs:
            enqueue(self._redis, jobs)
        if unreadable:
            self._dead_letters.lay_down(unreadable)
            _log.warning("%d dead letters; the last: %s", len(unreadable), unreadable[-1][1])

    def _hold(self, messages: list[Message], error: Exception) -> None:
        """Go back to the first message that was not passed on, and read on when Redis answers."""
        if not self._waiting:
            _log.warning("holding %d messages: %s", len(messages), type(error).__name__)
        self._waiting = True
        first = {_place(message): message.offset() or 0 for message in reversed(messages)}
        with suppress(KafkaException):  # of a partition that has gone: its next owner begins there
            self._consumer.pause(self._consumer.assignment())
        for (topic, partition), offset in first.items():
            with suppress(KafkaException):
                self._consumer.seek(TopicPartition(topic, partition, offset))

    def _resume_if_redis_answers(self) -> None:
        try:
            self._redis.ping()
        except redis.RedisError:
            return
        self._consumer.resume(self._consumer.assignment())
        self._waiting = False
        _log.warning("reading on")

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign(partitions)
        self._topic_ids.forget(partitions)
        if self._waiting:  # an assignment forgets that its partitions were paused
            consumer.pause(partitions)
        _log.info("reads %s", _names(partitions))

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        with suppress(KafkaException):  # there may be nothing to commit
            consumer.commit(asynchronous=False)
        consumer.incremental_unassign(partitions)
        _log.info("reads no longer %s", _names(partitions))


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


def _names(partitions: list[TopicPartition]) -> str:
    return ", ".join(f"{each.topic}/{each.partition}" for each in partitions) or "nothing"
