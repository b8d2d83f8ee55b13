"""The bridge killed, doubled, stopped, started before Kafka, and without Redis: every level takes effect."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.processes import Service, eventually
from tests.topics import Topics

COUNT = 1_000
Levels = Callable[[int], list[str]]


@pytest.fixture
def levels(own: Service, unique: Callable[[str], str]) -> Levels:
    """Send levels of so many new products at once; return their ids."""
    topics = Topics(own.servers.kafka.bootstrap)

    def send(count: int) -> list[str]:
        products = [unique("product") for _ in range(count)]
        topics.send_all("product_events", [({"productId": each, "stock": 5}, each) for each in products])
        return products

    return send


def present(own: Service, products: list[str]) -> int:
    return int(own.servers.redis_client().exists(*(f"product:{each}:stock" for each in products)))


def all_there(own: Service, products: list[str]) -> bool:
    return bool(eventually(lambda: present(own, products) == len(products), within=60))


def test_a_bridge_that_was_there_before_kafka_reads_what_comes(own: Service, levels: Levels) -> None:
    assert all_there(own, levels(10))


def test_a_bridge_that_waits_for_kafka_ends_on_term(own: Service) -> None:
    assert own.children["unlucky"].exit_code == 0


def test_a_bridge_killed_in_mid_stream_loses_nothing(own: Service, levels: Levels) -> None:
    products = levels(COUNT)
    eventually(lambda: present(own, products))
    own.children["bridge"].kill()
    products += levels(COUNT)

    own.bridge()

    assert all_there(own, products)


def test_a_second_bridge_may_join_and_the_first_leave_in_mid_stream(own: Service, levels: Levels) -> None:
    first = own.children["bridge"]
    products = levels(COUNT)
    second = own.bridge("second")
    products += levels(COUNT)
    first.stop()
    products += levels(100)

    assert all_there(own, products)
    assert first.exit_code == 0

    own.bridge()
    second.stop()
    assert all_there(own, levels(100))


def test_levels_wait_in_kafka_while_redis_is_away(own: Service, levels: Levels) -> None:
    told = own.children["bridge"].log.read_text().count("holding")
    own.servers.redis_server.kill()
    products = levels(500)
    eventually(lambda: own.children["bridge"].log.read_text().count("holding") > told)
    products += levels(500)

    own.servers.redis_server.start()

    assert all_there(own, products)


def test_levels_that_redis_never_got_are_read_again_after_a_kill(own: Service, levels: Levels, heartbeat: Path) -> None:
    told = own.children["bridge"].log.read_text().count("holding")
    own.servers.redis_server.kill()
    products = levels(100)
    eventually(lambda: own.children["bridge"].log.read_text().count("holding") > told)
    # Long enough for offsets to be committed, were they stored.
    held = heartbeat.stat().st_mtime
    eventually(lambda: heartbeat.stat().st_mtime > held + 2.5)

    own.children["bridge"].kill()
    own.servers.redis_server.start()
    own.bridge()

    assert all_there(own, products)


def test_term_ends_it_at_once_and_a_restart_reads_nothing_twice(own: Service, levels: Levels) -> None:
    assert all_there(own, levels(100))
    redis, bridge = own.servers.redis_client(), own.children["bridge"]
    bridge.stop(grace=10)
    assert bridge.exit_code == 0
    eventually(lambda: redis.llen("stock") == 0 and redis.hlen("unacked") == 0)
    own.children["worker-stock"].stop()

    own.bridge()
    levels(1)
    eventually(lambda: redis.llen("stock"))

    assert redis.llen("stock") == 1
    own.worker("stock", "", "--pool", "solo")
