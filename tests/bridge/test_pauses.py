"""A partition that a bridge loses while it is paused, and gets again, is read on."""

from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Consumer, TopicPartition

from bridge.loop import new_consumer
from bridge.pauses import Pauses
from tests.processes import Service, eventually
from tests.topics import Topics

PLACE = ("product_events", 0)


@pytest.fixture
def consumer(shop: Service, unique: Callable[[str], str]) -> Iterator[Consumer]:
    """A consumer that reads one partition from its end."""
    found = new_consumer(shop.servers.kafka.bootstrap, unique("group"))
    yield found
    found.close()


def test_what_was_lost_while_it_was_paused_is_read_on(
    consumer: Consumer, topics: Topics, unique: Callable[[str], str]
) -> None:
    pauses, product = Pauses(consumer), unique("product")
    _, end = consumer.get_watermark_offsets(TopicPartition(*PLACE), timeout=10)
    ours = [TopicPartition(*PLACE, end)]
    consumer.incremental_assign(ours)
    pauses.assigned(ours)
    pauses.everything = True  # Redis or Kafka is away
    pauses.apply()
    consumer.incremental_unassign(ours)  # and the group gave us up meanwhile
    pauses.everything = False
    pauses.apply()
    consumer.incremental_assign(ours)
    pauses.assigned(ours)

    topics.send("product_events", {"productId": product, "stock": 1}, product, partition=0)

    eventually(lambda: product.encode() in {message.key() for message in consumer.consume(100, 0.2)})


def test_what_is_to_be_paused_stays_so_when_it_is_assigned_anew(
    consumer: Consumer, topics: Topics, unique: Callable[[str], str]
) -> None:
    pauses, product = Pauses(consumer), unique("product")
    _, end = consumer.get_watermark_offsets(TopicPartition(*PLACE), timeout=10)
    ours = [TopicPartition(*PLACE, end)]
    pauses.topics = {"product_events"}
    consumer.incremental_assign(ours)
    pauses.assigned(ours)

    topics.send("product_events", {"productId": product, "stock": 1}, product, partition=0)

    assert [message for _ in range(10) for message in consumer.consume(100, 0.2)] == []
    pauses.topics = set()
    pauses.apply()
    eventually(lambda: product.encode() in {message.key() for message in consumer.consume(100, 0.2)})
