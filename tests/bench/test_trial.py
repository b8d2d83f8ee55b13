"""The books of a run, kept on real servers: honest ones pass, and whatever is wrong on one of the three is found."""

from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Producer

from bench.checks import WrongBooksError
from bench.contestants import OURS
from bench.order_requests import PRODUCTS
from bench.session import QUICK, Session
from bench.trial import Trial, trial


@pytest.fixture
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """Return a trial of a contestant that was honest so far, with three orders."""
    with (
        Session(QUICK, lambda _: None, tmp_path_factory.mktemp("session")) as session,
        trial(OURS, session) as begun,
    ):
        for order_id in ("a", "b", "c"):
            begun.accepted.append(order_id)
            store(begun, order_id)
            announce(begun, "order_created", order_id)
            take(begun)
        yield begun


def store(run: Trial, order_id: str) -> None:
    run.mongo["orders"]["orders"].insert_one({"_id": order_id, "items": [{"productId": PRODUCTS[0], "quantity": 1}]})


def announce(run: Trial, topic: str, order_id: str) -> None:
    producer = Producer({"bootstrap.servers": run.servers.kafka.bootstrap})
    producer.produce(topic, b"{}", order_id)
    assert producer.flush(30) == 0


def take(run: Trial) -> None:
    run.redis.decr(f"product:{PRODUCTS[0]}:stock")


LIES: dict[str, tuple[Callable[[Trial], object], str]] = {
    "not stored": (lambda run: run.mongo["orders"]["orders"].delete_one({"_id": "b"}), "accepted and not stored, b"),
    "stored twice": (lambda run: store(run, "d"), "stored and never accepted, d"),
    "announced twice": (lambda run: announce(run, "order_created", "a"), "announced more than once, a"),
    "a wrong topic": (lambda run: announce(run, "order_deleted", "a"), "1 messages on order_deleted"),
    "sold twice": (take, "does not add up: 4 of product-0 left it, 3 sold"),
    "not answered": (lambda run: run.refused.update({503: 2}), "2 requests were answered 503"),
}


def test_honest_books_pass_and_tell_when_each_order_was_on_kafka(run: Trial) -> None:
    run.check()
    arrived = run.settle()
    assert arrived.keys() == {"a", "b", "c"}
    assert arrived["a"] <= arrived["b"] <= arrived["c"]


@pytest.mark.parametrize("lie", LIES)
def test_what_is_wrong_on_a_server_is_found(run: Trial, lie: str) -> None:
    do, words = LIES[lie]
    do(run)
    with pytest.raises(WrongBooksError) as raised:
        run.check()
    assert words in str(raised.value)


def test_a_run_on_the_data_of_an_earlier_one_counts_only_its_own(run: Trial) -> None:
    run.stock()
    run.accepted.clear()
    for topic in run.topics.values():
        topic.close()
    run.topics = {name: type(log)(run.servers.kafka.bootstrap, name) for name, log in run.topics.items()}
    run.accepted.append("d")
    store(run, "d")
    announce(run, "order_created", "d")
    take(run)
    run.check()
