"""The bridge holds back: at a full queue, and where dead letter after dead letter comes from a partition."""

import json
import subprocess
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Consumer, TopicPartition
from redis import Redis

from tasks.topics import INCOMING, PARTITIONS
from tests.processes import Servers, Service, eventually, service
from tests.topics import Topics, headers

MARK, LIMIT = 50, 5


@pytest.fixture(scope="module")
def narrow(own: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A bridge with low limits in a database and a group of its own, and no workers, on the package's Kafka."""
    servers = own.servers
    mine = Servers(servers.redis_server, servers.mongod, servers.kafka, redis_db=3)
    limits = {"BRIDGE_QUEUE_MARK": str(MARK), "DLQ_LIMIT": str(LIMIT), "KAFKA_GROUP": "narrow"}
    with service(mine, tmp_path_factory.mktemp("narrow"), **limits) as running:
        skip_to_the_end(mine.kafka.bootstrap)
        running.bridge()
        yield running


def skip_to_the_end(bootstrap: str) -> None:
    """Have the group begin behind what other tests have sent."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "narrow"})
    places = [TopicPartition(topic, number) for topic in INCOMING for number in range(PARTITIONS)]
    ends = [consumer.get_watermark_offsets(place, 10)[1] for place in places]
    offsets = [TopicPartition(place.topic, place.partition, end) for place, end in zip(places, ends, strict=True)]
    consumer.commit(offsets=offsets, asynchronous=False)
    consumer.close()


@pytest.fixture
def redis(narrow: Service) -> Redis:
    return narrow.servers.redis_client()


@pytest.fixture
def outside(narrow: Service) -> Topics:
    return Topics(narrow.servers.kafka.bootstrap)


def log(narrow: Service) -> str:
    return narrow.children["bridge"].log.read_text()


def products(redis: Redis, queue: str = "stock") -> list[str]:
    """Return whose levels (or logins) wait in the queue, the oldest first."""
    return [json.loads(each)["headers"]["subject"] for each in reversed(redis.lrange(queue, 0, -1))]


def test_a_full_queue_pauses_its_topic_alone_until_there_is_room(
    narrow: Service, redis: Redis, outside: Topics, unique: Callable[[str], str]
) -> None:
    paused = int(redis.hget("counts", "bridge_paused") or 0)
    full = [unique("product") for _ in range(MARK + 10)]
    outside.send_all("product_events", [({"productId": each, "stock": 1}, each) for each in full])
    eventually(lambda: "product_events is paused: more than 50 messages" in log(narrow))
    eventually(lambda: int(redis.hget("counts", "bridge_paused") or 0) == paused + 1)
    before = redis.llen("stock")
    late, user = unique("product"), unique("user")
    outside.level(late, 1)
    outside.send("user_logged_in", {"userId": user, "email": "a@example.com"}, user)

    # Every login is read after the level was there to be read.
    eventually(lambda: user in products(redis, "logins"))
    assert redis.llen("stock") == before
    assert late not in products(redis)

    redis.ltrim("stock", 0, MARK)  # as if workers had taken some: not enough to go on
    outside.send("user_logged_in", {"userId": f"{user}-2", "email": "a@example.com"}, user)
    eventually(lambda: f"{user}-2" in products(redis, "logins"))
    assert late not in products(redis)

    redis.delete("stock", "logins")
    eventually(lambda: late in products(redis))


def test_dead_letters_in_a_row_stop_their_partition_until_an_operator_resumes_it(
    narrow: Service, redis: Redis, outside: Topics, unique: Callable[[str], str]
) -> None:
    redis.delete("stock", "logins")
    letters = int(redis.hget("counts", "dead_letters") or 0)
    mark, good, elsewhere = unique("mark"), unique("product"), unique("product")

    def bad(count: int) -> None:
        for _ in range(count):
            outside.send("product_events", b"{broken", "k", partition=1, headers=[("mark", mark.encode())])

    def laid_down() -> int:
        return int(redis.hget("counts", "dead_letters") or 0) - letters

    bad(LIMIT - 1)
    outside.send("product_events", {"productId": good, "stock": 1}, good, partition=1)
    bad(LIMIT + 3)
    outside.send("product_events", {"productId": f"{good}-2", "stock": 1}, good, partition=1)

    eventually(lambda: redis.hexists("bridge:stopped", "product_events/1"))
    outside.send("product_events", {"productId": elsewhere, "stock": 1}, elsewhere, partition=2)
    eventually(lambda: elsewhere in products(redis))
    assert laid_down() == 2 * LIMIT - 1
    assert good in products(redis)
    assert f"{good}-2" not in products(redis)
    assert log(narrow).count("product_events/1 is stopped: 5 messages in a row can't be read") == 1

    resumed = command(narrow, "resume", "product_events", "1")
    assert (resumed.returncode, resumed.stdout) == (0, "product_events/1: to be read on\n")
    eventually(lambda: f"{good}-2" in products(redis))
    eventually(lambda: laid_down() == 2 * LIMIT + 2)  # they are counted after what can be read has gone on
    assert command(narrow, "resume").stderr == "nothing is stopped\n"
    with outside.reader("product_events.dlq") as reader:
        reader.drain()
        ours = [headers(each) for each in reader.messages if headers(each).get("mark") == mark]
    # (The package's other bridge has laid each of them down too.)
    assert len({each["dlq_offset"] for each in ours}) == 2 * LIMIT + 2


def test_a_restart_reads_a_stopped_partition_on(
    narrow: Service, redis: Redis, outside: Topics, unique: Callable[[str], str]
) -> None:
    good = unique("product")
    for _ in range(LIMIT):
        outside.send("product_events", b"{broken", "k", partition=0)
    outside.send("product_events", {"productId": good, "stock": 1}, good, partition=0)
    eventually(lambda: redis.hexists("bridge:stopped", "product_events/0"))

    narrow.children["bridge"].stop()
    narrow.bridge()

    eventually(lambda: good in products(redis))
    eventually(lambda: not redis.exists("bridge:stopped"))


def command(narrow: Service, *words: str) -> subprocess.CompletedProcess[str]:
    return narrow.run("bridge", *words)
