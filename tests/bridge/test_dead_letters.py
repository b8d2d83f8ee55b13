"""What can't be read ends among the dead letters as it came, with headers that say why, and stops nothing else."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Message, Producer
from redis import Redis

from tests.bridge.raw_producer import produce
from tests.processes import Service, eventually
from tests.topics import Topics, headers

MEGABYTE = 1024 * 1024


@pytest.fixture
def producer(topics: Topics) -> Producer:
    """A producer that leaves it to Kafka to say what is too large."""
    return Producer({"bootstrap.servers": topics.bootstrap, "message.max.bytes": 2 * MEGABYTE})


@pytest.fixture
def passed(shop: Service, topics: Topics, redis_client: Redis, unique: Callable[[str], str]) -> Callable[[], None]:
    """Wait until what was sent so far was read: a good message behind it, in every partition, has taken effect."""

    def wait() -> None:
        markers = [unique("marker") for _ in range(3)]
        for partition, marker in enumerate(markers):
            topics.send("product_events", {"productId": marker, "stock": 1}, marker, partition=partition)
            topics.send("user_logged_in", {"userId": marker, "email": "m@example.com"}, marker, partition=partition)
        eventually(lambda: all(redis_client.get(f"product:{each}:stock") == "1" for each in markers))
        eventually(lambda: None not in redis_client.hmget("user:email", markers))

    return wait


def letters(topics: Topics, topic: str, mark: str, count: int = 1) -> list[Message]:
    """Return the dead letters that carry this mark in a header."""
    with topics.reader(f"{topic}.dlq") as reader:

        def marked() -> list[Message]:
            reader.drain(0.2)
            return [message for message in reader.messages if headers(message).get("mark") == mark]

        return eventually(lambda: found if len(found := marked()) >= count else [])


UNREADABLE: list[tuple[str, bytes | None, bytes | None, str]] = [
    ("product_events", b"p-1", b"{broken", "not JSON"),
    # So large that with the reason why it would no longer fit into its own topic.
    ("product_events", b"p-1", b'{"productId": "p-1", "stock": ' + b"x" * (MEGABYTE - 250), "not JSON"),
    ("product_events", b"p-1", b"", "not JSON"),
    ("product_events", None, b'{"stock": 5}', "no id"),
    ("product_events", None, None, "no id"),
    ("product_events", b"\xff\x00\xfe", None, "no id"),
    ("product_events", b"\xff\x00\xfe", b'{"productId": "p-1", "stock": -1}', "no whole number"),
    ("product_events", b"p-1", b'{"productId": "p-1", "stock": 5, "time": "noon"}', "time"),
    ("user_logged_in", b"u-1", None, "without a value"),
    ("user_logged_in", b"u-1", b"[]", "no JSON object"),
    ("user_logged_in", b"u-1", b'{"userId": "u-1", "email": 5}', "e-mail"),
    ("user_logged_in", b"u-1", b'{"userId": "u-1", "preferences": "none"}', "preferences"),
    ("user_logged_in", b"u-1", b'{"userId": "u-1", "preferences": ' + b'{"x":' * 900 + b"1" + b"}" * 901, "nested"),
]


def test_what_cannot_be_read_arrives_unchanged_with_the_reason(
    topics: Topics, producer: Producer, unique: Callable[[str], str], passed: Callable[[], None]
) -> None:
    mark = unique("mark")
    strange: list[tuple[str, str | bytes | None]] = [
        ("", b"no name"),
        ("twice", b"1"),
        ("twice", b"2"),
        ("null", None),
        ("bytes", b"\xff\x00"),
        ("ü", b""),
    ]
    sent: list[Message] = []
    for topic, key, raw, _ in UNREADABLE:
        told = [*strange, ("mark", mark.encode())]
        producer.produce(topic, raw, key, headers=told, on_delivery=lambda _, message: sent.append(message))
    assert producer.flush(20) == 0
    passed()

    for topic in ("product_events", "user_logged_in"):
        wanted = [(key, raw, reason) for of, key, raw, reason in UNREADABLE if of == topic]
        found = letters(topics, topic, mark, len(wanted))
        places = {(message.partition(), message.offset()) for message in sent if message.topic() == topic}

        assert len(found) == len(wanted)
        assert {(int(headers(each)["dlq_partition"]), int(headers(each)["dlq_offset"])) for each in found} == places
        for key, raw, reason in wanted:
            (letter,) = [each for each in found if (each.key(), each.value()) == (key, raw)]
            assert list(letter.headers() or [])[: len(strange) + 1] == [*strange, ("mark", mark.encode())]
            why = headers(letter)
            assert reason in why["dlq_reason"]
            assert (why["dlq_topic"], why["dlq_attempts"]) == (topic, "1")
            assert int(why["dlq_timestamp"]) in {message.timestamp()[1] for message in sent}


@pytest.mark.parametrize(("attempts", "next_attempts"), [(b"1", "2"), (b"many", "1"), (b"9" * 5000, "1")])
def test_a_dead_letter_that_comes_again_counts_its_attempts(
    topics: Topics,
    unique: Callable[[str], str],
    passed: Callable[[], None],
    attempts: bytes,
    next_attempts: str,
) -> None:
    mark = unique("mark")
    again = [("mark", mark.encode()), ("dlq_attempts", attempts)]
    topics.send("product_events", b"{broken", "p-1", headers=again)
    passed()

    (letter,) = letters(topics, "product_events", mark)

    assert headers(letter)["dlq_attempts"] == next_attempts


def test_a_header_whose_name_is_not_utf_8_stops_nothing_and_is_carried_in_another(
    topics: Topics, unique: Callable[[str], str], passed: Callable[[], None], redis_client: Redis
) -> None:
    product = unique("product")
    level = json.dumps({"productId": product, "stock": 5}).encode()
    # Enough before it that the interpreter takes its short cuts by then.
    topics.send_all("product_events", [({"productId": each, "stock": 1}, each) for each in [unique("p")] * 50])
    passed()
    strange = [(b"first", b"1"), (b"\xff\xfe", b"\x00x"), (b"second", b"\xfe"), (b"\xe4", b"")]
    produce(topics.bootstrap, "product_events", product.encode(), level, strange)
    passed()

    with topics.reader("product_events.dlq") as reader:
        (letter,) = reader.wait_for(1, key=product)

    assert letter.value() == level
    assert "header is not UTF-8" in headers(letter)["dlq_reason"]
    carried: list[Any] = list(letter.headers() or [])[:4]
    assert [carried[0], carried[2]] == [("first", b"1"), ("second", b"\xfe")]
    assert [(name, json.loads(told)) for name, told in (carried[1], carried[3])] == [
        ("dlq_header", {"place": 1, "name": "//4=", "value": "AHg="}),
        ("dlq_header", {"place": 3, "name": "5A==", "value": ""}),
    ]
    assert redis_client.get(f"product:{product}:stock") is None


@pytest.mark.parametrize(
    ("key", "more"),
    [(None, {}), ("another", {}), ("p", {"headers": [("", b""), ("n", None), ("b", b"\xff"), ("ce_type", b"stock")]})],
    ids=["null key", "another's key", "strange headers"],
)
def test_a_good_message_takes_effect_whatever_its_key_and_headers(
    shop: Service,
    topics: Topics,
    redis_client: Redis,
    unique: Callable[[str], str],
    key: str | None,
    more: dict[str, Any],
) -> None:
    product = unique("product")

    topics.send("product_events", {"productId": product, "stock": 5}, key, **more)

    eventually(lambda: redis_client.get(f"product:{product}:stock") == "5")


def test_a_message_of_a_megabyte_takes_effect(
    shop: Service, producer: Producer, redis_client: Redis, unique: Callable[[str], str]
) -> None:
    product, user = unique("product"), unique("user")
    big = "x" * (MEGABYTE - 2000)

    producer.produce("product_events", json.dumps({"productId": product, "stock": 5, "text": big}))
    producer.produce("user_logged_in", json.dumps({"userId": user, "preferences": {"text": big}}))
    assert producer.flush(20) == 0

    eventually(lambda: redis_client.get(f"product:{product}:stock") == "5")
    preferences = eventually(lambda: redis_client.hget("user:preferences", user))
    assert json.loads(str(preferences)) == {"text": big}
