"""The three real servers come up, come back after anything, and keep what they acknowledged."""

import os
import threading
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from pymongo import MongoClient
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from local.errors import LocalError
from local.ports import free_port
from local.servers import KafkaBroker, Mongod, RedisServer
from tests.processes import eventually


def redis_of(server: RedisServer) -> "Redis":
    return Redis(port=server.port, socket_timeout=1, retry=Retry(NoBackoff(), 0), decode_responses=True)


def test_redis_killed_amid_writes_has_every_acknowledged_one_after_its_restart(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    server.start()
    client = redis_of(server)
    acknowledged: list[int] = []

    def write_until_it_dies() -> None:
        try:
            for number in range(1_000_000):
                client.set(f"key:{number}", number)
                acknowledged.append(number)
        except RedisError:
            pass

    writer = threading.Thread(target=write_until_it_dies)
    writer.start()
    eventually(lambda: len(acknowledged) > 500)
    server.kill()
    writer.join()
    server.start()
    assert [client.get(f"key:{number}") for number in acknowledged] == [str(number) for number in acknowledged]
    server.stop()
    client.close()


def test_redis_syncs_every_write_and_evicts_nothing(tmp_path: Path) -> None:
    server = RedisServer(tmp_path, arguments=("--maxmemory", "20mb"))
    server.start()
    with redis_of(server) as client:
        settings = client.config_get("*")
    server.stop()
    assert settings["appendonly"] == "yes"
    assert settings["appendfsync"] == "always"
    assert settings["maxmemory-policy"] == "noeviction"
    assert settings["maxmemory"] == str(20 * 1024 * 1024)
    assert settings["bind"] == "127.0.0.1"


def test_a_paused_server_answers_nobody_until_it_is_resumed(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    server.start()
    with redis_of(server) as client:
        server.pause()
        with pytest.raises(RedisError):
            client.ping()
        server.resume()
        assert client.ping()
    server.pause()
    server.stop()
    assert server.process.exit_code == 0, "a paused server was not let go on to stop in its own order"


def test_a_server_that_can_not_start_says_so_with_its_log(tmp_path: Path) -> None:
    server = RedisServer(tmp_path, arguments=("--no-such-setting", "1"))
    with pytest.raises(LocalError, match=r"redis-server on port \d+ ended with exit code 1") as raised:
        server.start()
    assert str(server.log) in str(raised.value)
    assert "no-such-setting" in str(raised.value)


def test_mongod_keeps_its_orders_and_is_a_replica_set_again_on_another_port(tmp_path: Path) -> None:
    first = Mongod(tmp_path)
    first.start()
    with MongoClient[dict[str, object]](first.uri, w="majority", journal=True, timeoutMS=5000) as client:
        client.orders.orders.insert_one({"_id": "one"})
    first.stop()
    second = Mongod(tmp_path, free_port())
    second.start()
    with MongoClient[dict[str, object]](second.uri, w="majority", journal=True, timeoutMS=5000) as client:
        assert client.orders.orders.find_one() == {"_id": "one"}
        with client.start_session() as session, session.start_transaction():
            client.orders.orders.insert_one({"_id": "two"}, session=session)
        assert client.nodes == {("127.0.0.1", second.port)}
    second.kill()


def test_kafka_keeps_its_messages_on_another_port_and_makes_no_topic_by_itself(tmp_path: Path) -> None:
    first = KafkaBroker(tmp_path)
    first.start()
    admin = AdminClient({"bootstrap.servers": first.bootstrap})
    admin.create_topics([NewTopic("letters", 1)])["letters"].result(10)
    send(first, b"kept")
    first.kill()
    second = KafkaBroker(tmp_path, free_port())
    second.start()
    send(second, b"new")
    assert read(second, 2) == [b"kept", b"new"]
    errors: list[KafkaError | None] = []
    producer = Producer({"bootstrap.servers": second.bootstrap, "topic.metadata.propagation.max.ms": 500})
    producer.produce("unknown", b"lost", on_delivery=lambda error, _: errors.append(error))
    producer.flush(10)
    assert [error and error.code() for error in errors] == [KafkaError.UNKNOWN_TOPIC_OR_PART]
    second.kill()


def send(broker: KafkaBroker, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap, "acks": "all"})
    producer.produce("letters", value)
    assert producer.flush(10) == 0


def read(broker: KafkaBroker, count: int) -> list[bytes | None]:
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "reader", "enable.auto.commit": False})
    consumer.assign([TopicPartition("letters", 0, 0)])
    messages = consumer.consume(count, timeout=10)
    consumer.close()
    return [message.value() for message in messages]


def test_a_redis_server_of_path_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "redis-server").write_text("#!/bin/sh\necho the one of PATH; exit 7\n")
    (bin_folder / "redis-server").chmod(0o755)
    monkeypatch.setenv("PATH", str(bin_folder), prepend=os.pathsep)
    server = RedisServer(tmp_path / "data")
    assert server.downloads() == []
    with pytest.raises(LocalError, match="the one of PATH"):
        server.start()
