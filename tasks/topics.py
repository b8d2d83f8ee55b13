"""The Kafka topics of the contract, made at start where that is allowed."""

import logging

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tasks.patience import TryLaterError

INCOMING = ("product_events", "user_logged_in")
OUTGOING = ("order_created", "order_updated", "order_deleted", "user_orders")
PARTITIONS = 3
DEAD_LETTER_MAX_BYTES = 2 * 1024 * 1024
"""A dead letter carries headers on top of a message that may have been as large as its topic allows (1 MiB)."""

_TIMEOUT = 5.0
_log = logging.getLogger(__name__)


class MissingTopicsError(Exception):
    """Topics are missing and this Kafka user may not make them."""


def dead_letter_topic(topic: str) -> str:
    """Return where messages of `topic` go that can't be read."""
    return f"{topic}.dlq"


def make_topics(brokers: str) -> None:
    """Make the topics that are missing; those that exist are left as they are.

    Raises
    ------
    MissingTopicsError
        naming those that are missing where they may not be made.
    TryLaterError
        where Kafka does not answer.

    """
    admin = AdminClient({"bootstrap.servers": brokers}, logger=_log)
    try:
        existing = set(admin.list_topics(timeout=_TIMEOUT).topics)
    except KafkaException as error:
        raise TryLaterError(f"Kafka does not answer: {error}") from error
    wanted = [NewTopic(name, PARTITIONS) for name in (*INCOMING, *OUTGOING)]
    wanted += [
        NewTopic(dead_letter_topic(name), PARTITIONS, config={"max.message.bytes": str(DEAD_LETTER_MAX_BYTES)})
        for name in INCOMING
    ]
    missing = [topic for topic in wanted if topic.topic not in existing]
    if not missing:
        return
    refused = {}
    for name, future in admin.create_topics(missing, request_timeout=_TIMEOUT).items():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                refused[name] = error.args[0].str()
    if refused:
        reasons = ", ".join(f"{name} ({reason})" for name, reason in sorted(refused.items()))
        raise MissingTopicsError(f"these Kafka topics are missing and could not be made: {reasons}")
    _log.info("made Kafka topics: %s", ", ".join(topic.topic for topic in missing))
