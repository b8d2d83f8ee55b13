"""Faults of the servers: killed and restarted, frozen, full, stepped down, connections cut."""

import time
from contextlib import suppress

import redis
from pymongo import MongoClient
from pymongo.errors import AutoReconnect

from tests.faults.registry import Scene, fault


@fault(fires=("connections cut",), on=("redis",), often=True)
def connections_cut(scene: Scene) -> None:
    """CLIENT KILL of every connection to Redis, while tasks run."""
    for kind in ("normal", "pubsub"):
        cut = scene.shop.redis.client_kill_filter(_type=kind, skipme=True)
        scene.signs["connections cut"] += int(cut)


@fault(fires=("keys repeated",), on=("redis",), often=True)
def redis_killed(scene: Scene) -> None:
    """kill -9 of Redis, and a restart from its AOF."""
    server = scene.shop.servers.redis_server
    server.kill()
    time.sleep(scene.pace.redis_dead * scene.rng.random())
    server.start()


@fault(fires=("keys repeated",), on=("redis",))
def redis_frozen(scene: Scene) -> None:
    """SIGSTOP of Redis: connections stay, nobody answers."""
    server = scene.shop.servers.redis_server
    server.pause()
    try:
        time.sleep(scene.pace.frozen)
    finally:
        server.resume()


@fault(fires=("refused",), on=("redis",))
def redis_full(scene: Scene) -> None:
    """`maxmemory` nearly reached (callers are refused, workers go on), then reached, then raised again."""
    client = scene.shop.redis
    try:
        for share in (0.9, 1.05):
            used = client.info("memory")["used_memory"]
            client.config_set("maxmemory", int(used / share))
            time.sleep(3)
    finally:
        _until_it_answers(client)


def _until_it_answers(client: "redis.Redis") -> None:
    for _ in range(20):
        try:
            client.config_set("maxmemory", 0)
        except redis.RedisError:
            time.sleep(0.5)
        else:
            return


@fault(fires=("leases_renewed",), on=("mongod",))
def mongod_killed(scene: Scene) -> None:
    """kill -9 of MongoDB, and a restart."""
    server = scene.shop.servers.mongod
    server.kill()
    time.sleep(scene.pace.mongod_dead)
    server.start()


@fault(fires=("leases_renewed",), on=("mongod",))
def mongod_stepped_down(scene: Scene) -> None:
    """The primary of MongoDB steps down, is restarted, and is elected again."""
    server = scene.shop.servers.mongod
    client: MongoClient[dict[str, object]] = MongoClient("127.0.0.1", server.port, directConnection=True)
    with client, suppress(AutoReconnect):  # it closes all connections, ours too
        client.admin.command("replSetStepDown", 3, force=True)
    time.sleep(1)
    server.restart()


@fault(fires=("events_swept",), on=("kafka",))
def kafka_killed(scene: Scene) -> None:
    """kill -9 of Kafka, minutes without it, and a restart: orders go on, their events follow."""
    server = scene.shop.servers.kafka
    server.kill()
    time.sleep(scene.pace.kafka_dead)
    server.start()


@fault(fires=("events_swept",), on=("kafka",))
def kafka_frozen(scene: Scene) -> None:
    """SIGSTOP of Kafka: deliveries hang instead of failing."""
    server = scene.shop.servers.kafka
    server.pause()
    try:
        time.sleep(scene.pace.frozen / 2 + 4)
    finally:
        server.resume()
