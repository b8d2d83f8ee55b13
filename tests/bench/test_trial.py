"""The books of a run, kept on real servers: honest ones pass, and whatever is wrong on one of the three is found."""

import itertools
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Producer

from bench.checks import WrongBooksError
from bench.contestants import OURS
from bench.order_requests import PRODUCTS
from bench.session import QUICK, Session
from bench.topic_log import TopicLog
from bench.trial import Trial, trial


@pytest.fixture(scope="module")
def servers_with_books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    with (
        Session(QUICK, lambda _: None, tmp_path_factory.mktemp("session")) as session,
        trial(OURS, session) as begun,
    ):
        yield begun


@pytest.fixture
def run(servers_with_books: Trial) -> Trial:
    """Return a trial of a contestant that was honest so far, with three orders, on what earlier ones left."""
    begun = servers_with_books
    begin(begun)
    for letter in "abc":
        order_id = new_id(letter)
        begun.accepted.append(order_id)
        store(begun, order_id)
        announce(begun, "order_created", order_id)
        take(begun)
    return begun


_ids = itertools.count(1)


def new_id(letter: str) -> str:
    """Return an id that is after all earlier ones, as those of the service are."""
    return f"{next(_ids):03}{letter}"


def begin(run: Trial) -> None:
    """Have the trial count from now on."""
    run.stock()
    run.accepted.clear()
    run.refused.clear()
    for log in run.topics.values():
        log.close()
    run.topics = {topic: TopicLog(run.servers.kafka.bootstrap, topic) for topic in run.topics}


def store(run: Trial, order_id: str) -> None:
    run.mongo["orders"]["orders"].insert_one({"_id": order_id, "items": [{"productId": PRODUCTS[0], "quantity": 1}]})


def announce(run: Trial, topic: str, order_id: str) -> None:
    producer = Producer({"bootstrap.servers": run.servers.kafka.bootstrap})
    producer.produce(topic, b"{}", order_id)
    assert producer.flush(30) == 0


def take(run: Trial) -> None:
    run.redis.decr(f"product:{PRODUCTS[0]}:stock")


LIES: dict[str, tuple[Callable[[Trial], object], str]] = {
    "not stored": (
        lambda run: run.mongo["orders"]["orders"].delete_one({"_id": run.accepted[1]}),
        "accepted and not stored, {b}",
    ),
    "stored twice": (lambda run: store(run, f"{run.accepted[2]}d"), "stored and never accepted, {c}d"),
    "announced twice": (lambda run: announce(run, "order_created", run.accepted[0]), "announced more than once, {a}"),
    "a wrong topic": (lambda run: announce(run, "order_deleted", run.accepted[0]), "1 messages on order_deleted"),
    "sold twice": (take, "does not add up: 4 of product-0 left it, 3 sold"),
    "not answered": (lambda run: run.refused.update({503: 2}), "2 requests were answered 503"),
}


def test_honest_books_pass_and_tell_when_each_order_was_on_kafka(run: Trial) -> None:
    run.check()
    arrived = run.settle()
    assert arrived.keys() == set(run.accepted)
    a, b, c = run.accepted
    assert arrived[a] <= arrived[b] <= arrived[c]


@pytest.mark.parametrize("lie", LIES)
def test_what_is_wrong_on_a_server_is_found(run: Trial, lie: str) -> None:
    do, words = LIES[lie]
    do(run)
    with pytest.raises(WrongBooksError) as raised:
        run.check()
    a, b, c = run.accepted
    assert words.format(a=a, b=b, c=c) in str(raised.value)


def test_a_run_on_the_data_of_an_earlier_one_counts_only_its_own(run: Trial) -> None:
    begin(run)
    order_id = new_id("d")
    run.accepted.append(order_id)
    store(run, order_id)
    announce(run, "order_created", order_id)
    take(run)
    run.check()
