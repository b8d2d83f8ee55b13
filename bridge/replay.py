"""Dead letters read again: what today's code can read becomes a task, as if it had been read when it came.

A letter's task has the id, time and place of the original message, so that the stores order it by what is newer, and a
second replay of it changes nothing. What is known to be superseded is not enqueued at all; the task itself is the judge
of what becomes so meanwhile.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import redis
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from bridge.dead_letters import PREFIX, TRUNCATED
from bridge.incoming import Incoming, incoming
from bridge.jobs import job_for
from bridge.shapes import UnreadableError
from models.customers import EMAIL_KEY, PREFERENCES_KEY
from tasks.enqueue import Job, enqueue

REPLAYED = "bridge:replayed"
"""The set of tasks that were replayed."""

REMEMBERED = 30 * 24 * 3600
"""Seconds for which it is kept from the last replay on: longer than dead letters usually are, and harmless if not."""

BATCH = 500
ANSWER = 5.0
"""Seconds that Kafka has to say what there is."""

SILENCE = 15.0
"""Seconds without a word from Kafka after which it is taken to be away."""


class KafkaAwayError(Exception):
    """Kafka does not answer, or does not have the topic; the text says which."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter: the message that it was, and what was noted of it (`reason`, `offset`, …)."""

    original: Incoming
    facts: Mapping[str, str]


@dataclass(slots=True)
class Tally:
    """What became of the letters."""

    counts: Counter[str] = field(default_factory=Counter)
    unreadable: Counter[str] = field(default_factory=Counter)
    """How many can't be read still, by the reason."""


class Letters:
    """The dead letters of a topic from its beginning to its end as of now."""

    def __init__(self, brokers: str, topic: str) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": brokers,
                "group.id": "order-service-replay",  # never committed to
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "log_level": 0,  # a line for each attempt to connect would hide the one that counts
            }
        )
        try:
            partitions = self._consumer.list_topics(topic, timeout=ANSWER).topics[topic]
            if partitions.error is not None:
                raise KafkaAwayError(f"topic {topic}: {partitions.error.str()}")
            self._left: dict[int, tuple[int, int]] = {
                number: self._consumer.get_watermark_offsets(TopicPartition(topic, number), ANSWER)
                for number in partitions.partitions
            }
        except KafkaException as error:
            raise KafkaAwayError(f"Kafka does not answer: {error.args[0].str()}") from None
        self.total = sum(end - begin for begin, end in self._left.values())
        self._left = {number: ends for number, ends in self._left.items() if ends[0] < ends[1]}
        self._consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in self._left])

    def batches(self) -> Iterator[list[Message]]:
        """Yield the letters, many at once."""
        heard = time.monotonic()
        try:
            while self._left:
                if time.monotonic() > heard + SILENCE:
                    raise KafkaAwayError(f"Kafka has sent nothing for {SILENCE:g} s")
                # Not for long: Ctrl-C is noticed only in between.
                messages = self._consumer.consume(BATCH, 0.5)
                if messages:
                    heard = time.monotonic()
                    yield [message for message in messages if self._is_due(message)]
        finally:
            self._consumer.close()

    def _is_due(self, message: Message) -> bool:
        partition, error = cast(int, message.partition()), message.error()
        if error is not None:
            if error.code() != KafkaError._PARTITION_EOF:
                raise KafkaAwayError(f"Kafka: {error.str()}")
            self._left.pop(partition, None)
            return False
        end = self._left.get(partition, (0, 0))[1]
        offset = cast(int, message.offset())
        if offset >= end - 1:
            self._left.pop(partition, None)
        return offset < end


def read_letter(message: Message) -> Letter | None:
    """Return the dead letter that a message is, None where the bridge has not laid it down."""
    told = incoming(message)
    headers = told.headers or ()
    facts = {name.removeprefix(PREFIX): (raw or b"").decode(errors="replace") for name, raw in headers if _ours(name)}
    try:
        original = Incoming(
            topic=facts["topic"],
            partition=int(facts["partition"]),
            offset=int(facts["offset"]),
            timestamp=int(facts["timestamp"]),
            key=told.key,
            value=told.value,
            headers=tuple(header for header in headers if not _ours(header[0])),
        )
    except (KeyError, ValueError):
        return None
    return Letter(original, facts)


def _ours(name: str) -> bool:
    return name.startswith(PREFIX)


def replay(client: "redis.Redis", letters: Iterable[Letter | None], tally: Tally, *, dry_run: bool) -> None:
    """Enqueue what of these can be read now, is newer than what is known and was not replayed before; tally all.

    Raises
    ------
    redis.RedisError
        where some of them may have been enqueued, and none was noted as replayed: replaying them again is right.

    """
    jobs: dict[str, Job] = {}
    for letter in letters:
        try:
            job = _job(letter)
        except UnreadableError as error:
            tally.counts["unreadable"] += 1
            tally.unreadable[str(error)] += 1
            continue
        tally.counts["repeated"] += job.task_id in jobs
        jobs[job.task_id] = job
    if not jobs:
        return
    known = client.smismember(REPLAYED, list(jobs))
    fresh = [job for job, before in zip(jobs.values(), cast("list[int]", known), strict=True) if not before]
    old = superseded(client, fresh)
    due = [job for job, superseded_ in zip(fresh, old, strict=True) if not superseded_]
    tally.counts["repeated"] += len(jobs) - len(fresh)
    tally.counts["superseded"] += len(fresh) - len(due)
    tally.counts["replayed"] += len(due)
    if due and not dry_run:
        enqueue(client, due)
        client.sadd(REPLAYED, *(job.task_id for job in due))
        client.expire(REPLAYED, REMEMBERED)


def _job(letter: Letter | None) -> Job:
    if letter is None:
        raise UnreadableError("it has not the headers of a dead letter of the bridge")
    if TRUNCATED in {f"{PREFIX}{name}" for name in letter.facts}:
        raise UnreadableError("it was cut, for it was too large")
    return job_for(letter.original)


def superseded(client: "redis.Redis", jobs: Sequence[Job]) -> list[bool]:
    """Tell of each whether something newer is known of all that it tells."""
    with client.pipeline(transaction=False) as pipeline:
        for job in jobs:
            told = job.kwargs
            if job.task == "set_stock_level":
                pipeline.hmget(f"product:{told['product_id']}:level", "version", "at")
            else:
                for name in (EMAIL_KEY, PREFERENCES_KEY):
                    pipeline.hget(f"{name}:learnt", told["user_id"])
        answers = iter(pipeline.execute())
    return [
        _level_is_old(job.kwargs, *next(answers))
        if job.task == "set_stock_level"
        else _login_is_old(job.kwargs, next(answers), next(answers))
        for job in jobs
    ]


def _level_is_old(told: Mapping[str, Any], version: str | None, at: str | None) -> bool:
    if at is None or told["names"] or told["seen"]:
        return False  # (An old level that says what it includes settles that nevertheless.)
    if told["version"] is not None and version and told["version"] != int(version):
        return bool(told["version"] < int(version))
    return bool(told["at"] < int(at))


def _login_is_old(told: Mapping[str, Any], *learnt: str | None) -> bool:
    fields = [at for value, at in zip((told["email"], told["preferences"]), learnt, strict=True) if value is not None]
    # (Of a login that tells neither there is nothing to overwrite.)
    return bool(fields) and all(at is not None and told["at"] < int(at.split()[0]) for at in fields)
