"""Dead letters replayed by command: what can be read now takes effect, unless something newer is known."""

import json
import signal
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from tests.bridge.raw_producer import produce
from tests.processes import REPOSITORY, Servers, Service, eventually, service
from tests.topics import Topics, headers

DLQ = "product_events.dlq"


@pytest.fixture
def running(servers: Servers, shop: Service, tmp_path: Path) -> Iterator[Service]:
    """A Redis of our own, without processes, on the Kafka of the run."""
    mine = Servers(servers.redis_server, servers.mongod, servers.kafka, redis_db=3)
    mine.redis_client().flushdb()
    with service(mine, tmp_path) as found:
        yield found


@pytest.fixture
def redis(running: Service) -> Redis:
    return running.servers.redis_client()


@pytest.fixture
def mark(unique: Callable[[str], str]) -> str:
    """What the letters of a test have in common."""
    return unique("mark")


@pytest.fixture
def letter(topics: Topics, mark: str) -> Callable[..., None]:
    """Lay a dead letter down, as a bridge of yesterday did that could not read it."""

    def lay(told: Any, offset: int, topic: str = "product_events", at: int = 1_000, **more: str) -> None:
        facts = {"reason": "it was new", "topic": topic, "partition": 1, "offset": offset, "timestamp": at, **more}
        ours = [(f"dlq_{name}", str(value).encode()) for name, value in facts.items()]
        topics.send(f"{topic}.dlq", told, "key", headers=[("mark", mark.encode()), *ours])

    return lay


def begin(running: Service, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "bridge", "replay", *words],
        cwd=REPOSITORY,
        env=running.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def replay(running: Service, *words: str) -> dict[str, int]:
    """Run the command to its good end; return its report."""
    out, err = (process := begin(running, *words)).communicate(timeout=60)
    assert process.returncode == 0, err
    lines = [line.strip().partition(" ") for line in out.splitlines()]
    return {text: int(number.rstrip(":")) for number, _, text in lines}


def jobs(redis: Redis, queue: str = "stock") -> dict[str, dict[str, Any]]:
    """Return what waits in a queue: arguments by task."""
    found = [json.loads(each) for each in redis.lrange(queue, 0, -1)]
    return {each["headers"]["id"]: json.loads(b64decode(each["body"]))[1] for each in found}


def test_what_can_be_read_now_is_enqueued_once_with_its_own_time(
    running: Service, redis: Redis, topics: Topics, letter: Callable[..., None], mark: str
) -> None:
    letter({"productId": "p-1", "stock": 5}, offset=7, at=1234)
    letter({"productId": "p-1", "stock": 5}, offset=7, at=1234)  # the bridge was killed and laid it down again
    letter({"productId": "p-2", "stock": None, "type": "stock.deleted"}, offset=8, reason="it was deleted")
    letter(b"{broken", offset=9)
    letter({"productId": "p-3", "stock": 5}, offset=10, truncated="of 5 bytes")
    topics.send(DLQ, {"productId": "p-4", "stock": 5}, "key", headers=[("mark", mark.encode())])
    mine = f"header.mark={mark}"

    dry = replay(running, "product_events", "--where", mine, "--dry-run")
    assert jobs(redis) == {}
    first = replay(running, "product_events", "--where", mine, "--where", "reason=it was n*")
    assert set(jobs(redis)) == {"product_events:1:7:1234"}
    second = replay(running, "product_events", "--where", mine)

    assert dry["would be replayed"] == 2
    assert first["replayed"] == 1
    assert {name: second[name] for name in ("replayed", "replayed before", "can't be read still")} == {
        "replayed": 1,
        "replayed before": 2,
        "can't be read still": 2,
    }
    assert second["the value is not JSON in UTF-8"] == 1
    assert second["it was cut, for it was too large"] == 1
    everything = replay(running, "product_events", "--dry-run")
    assert everything["it has not the headers of a dead letter of the bridge"] == 1
    found = jobs(redis)
    assert set(found) == {"product_events:1:7:1234", "product_events:1:8:1000"}
    assert (found["product_events:1:7:1234"]["at"], found["product_events:1:7:1234"]["source"]) == (
        1234,
        "product_events/1",
    )
    assert found["product_events:1:8:1000"]["units"] is None


def test_what_is_superseded_is_left_and_counted(running: Service, redis: Redis, letter: Callable[..., None]) -> None:
    mark = "value.run=" + str(run := time.time_ns())
    redis.hset("product:by-time:level", mapping={"version": "", "at": 2000, "source": "t/0", "offset": 1})
    redis.hset("product:by-version:level", mapping={"version": 5, "at": 10, "source": "t/0", "offset": 1})
    redis.hset("user:email:learnt", mapping={"u-both": "2000 1 t/0", "u-one": "2000 1 t/0"})
    redis.hset("user:preferences:learnt", mapping={"u-both": "2000 1 t/0", "u-one": "500 1 t/0"})
    levels: list[dict[str, Any]] = [
        {"productId": "by-time"},
        {"productId": "by-time", "time": 3000},
        {"productId": "by-version", "version": 4},
        {"productId": "by-version", "version": 6},
        {"productId": "unknown"},
        {"productId": "by-time", "orderId": "o-1"},
    ]
    for place, level in enumerate(levels):
        letter({"stock": 1, "run": run, **level}, offset=place)
    for place, user in enumerate(("u-both", "u-one", "u-none")):
        told = {"userId": user, "email": "a@example.com", "preferences": {}, "run": run}
        letter(told, offset=place, topic="user_logged_in")

    of_levels = replay(running, "product_events", "--where", mark)
    of_logins = replay(running, "user_logged_in", "--where", mark)

    assert (of_levels["replayed"], of_levels["superseded by something newer"]) == (4, 2)
    assert {task_id.split(":")[2] for task_id in jobs(redis)} == {"1", "3", "4", "5"}
    assert (of_logins["replayed"], of_logins["superseded by something newer"]) == (2, 1)
    assert {told["user_id"] for told in jobs(redis, "logins").values()} == {"u-one", "u-none"}


def test_a_message_refused_for_a_header_takes_effect_when_it_is_replayed(
    shop: Service, topics: Topics, unique: Callable[[str], str]
) -> None:
    product = unique("product")
    level = json.dumps({"productId": product, "stock": 5}).encode()
    produce(topics.bootstrap, "product_events", product.encode(), level, [(b"\xff\xfe", b"x")])
    with topics.reader(DLQ) as reader:
        (dead,) = reader.wait_for(1, key=product)
    assert "dlq_header" in headers(dead)

    assert replay(shop, "product_events", "--where", f"key={product}")["replayed"] == 1

    eventually(lambda: shop.servers.redis_client().get(f"product:{product}:stock") == "5")


def test_ctrl_c_ends_it_with_a_report(running: Service, redis: Redis, letter: Callable[..., None], mark: str) -> None:
    letter({"productId": "p-1", "stock": 5}, offset=7)
    redis.lpush("stock", *["a message"] * 10_001)  # so it waits for workers
    process = begin(running, "product_events", "--where", f"header.mark={mark}")
    eventually(lambda: [each for each in redis.client_list() if each["db"] == "3" and each["cmd"] == "llen"])

    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)

    assert process.returncode == 130
    assert "0 replayed\n" in out
    assert "stopped" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("words", "environment", "code", "told"),
    [
        (("orders",), {}, 2, "invalid choice: 'orders'"),
        (("product_events", "--where", "colour=red"), {}, 2, "'colour=red' is not FIELD=VALUE"),
        (("product_events", "--where", "key=nobody"), {"REDIS_PORT": "1"}, 1, "Redis does not answer"),
        (("product_events",), {"KAFKA_BROKER": "127.0.0.1:1"}, 1, "Kafka does not answer"),
    ],
)
def test_what_is_wrong_is_one_clear_line(
    running: Service,
    letter: Callable[..., None],
    words: tuple[str, ...],
    environment: dict[str, str],
    code: int,
    told: str,
) -> None:
    letter({"productId": "p-1", "stock": 5}, offset=7)
    running.settings = environment

    process = begin(running, *words)
    _, err = process.communicate(timeout=60)

    assert process.returncode == code
    assert told in err.splitlines()[-1]
    assert "Traceback" not in err
    assert "FAIL" not in err
