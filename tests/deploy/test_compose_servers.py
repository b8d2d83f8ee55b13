"""What docker-compose.yml tells the three servers, told to real ones: they take it, and are set as the local ones."""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml

from local.downloads import ensure
from local.jars import kafka_jars
from local.ports import free_port
from local.processes import Child
from local.servers import KafkaBroker, Mongod, RedisServer
from local.servers.java import java
from local.servers.kafka_broker import PROPERTIES
from local.servers.mongod import REPLICA_SET
from tests.processes import REPOSITORY, eventually

PASSWORD = "correcthorse0123"
LOG4J = """
Configuration:
  Appenders: {Console: {name: STDOUT}}
  Loggers: {Root: {level: INFO}, Logger: [{name: kafka, level: INFO}]}
"""


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """Return the file with its required variables in place, as Compose reads it."""
    text = (REPOSITORY / "docker-compose.yml").read_text()
    found: dict[str, Any] = yaml.safe_load(re.sub(r"\$\{COMPOSE_\w+:\?[^}]+\}", PASSWORD, text))
    return found


def test_redis_takes_its_file_asks_for_the_password_and_is_set_as_the_local_one(
    compose: dict[str, Any], redis_server: RedisServer, tmp_path: Path
) -> None:
    service = compose["services"]["redis"]
    (mounted,) = service["configs"]
    assert service["command"] == ["redis-server", mounted["target"]]
    assert service["environment"] == {"REDISCLI_AUTH": PASSWORD}  # its health check's; nobody sees it in a command line
    file = tmp_path / "redis.conf"
    file.write_text(compose["configs"][mounted["source"]]["content"])

    program, port = redis_server.process.command[0], free_port()
    command = [program, str(file), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(tmp_path)]
    server = Child("redis", command, log=tmp_path / "log", cwd=tmp_path)
    server.launch()
    try:
        eventually(lambda: "Ready to accept connections" in server.log.read_text())
        with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
        with redis.Redis(port=port, password=PASSWORD, decode_responses=True) as client:
            settings: Mapping[str, str] = client.config_get("*")
        with redis.Redis(port=redis_server.port, decode_responses=True) as local:
            of_local: Mapping[str, str] = local.config_get("*")
    finally:
        server.stop()
    for name in ("appendonly", "appendfsync", "auto-aof-rewrite-min-size", "maxmemory-policy", "save"):
        assert settings[name] == of_local[name], name
    assert int(settings["maxmemory"]) >= 256 * 1024 * 1024


def test_kafkas_image_makes_of_its_variables_what_the_local_one_is_set_to(
    compose: dict[str, Any], kafka: KafkaBroker, tmp_path: Path
) -> None:
    variables = dict(compose["services"]["kafka"]["environment"])
    data = compose["services"]["kafka"]["volumes"][0].partition(":")[2]
    assert variables["KAFKA_LOG_DIRS"] == data
    variables["KAFKA_LOG_DIRS"] = str(tmp_path / "data")
    for folder in ("image", "mounted", "made"):
        (tmp_path / folder).mkdir()
    (tmp_path / "image" / "server.properties").touch()
    for name in ("log4j2.yaml", "tools-log4j2.yaml"):
        (tmp_path / "image" / name).write_text(LOG4J)

    # What the image itself runs before it starts Kafka: it writes the properties, checks them and makes the storage.
    ensure(kafka_jars())
    jars = ":".join(str(jar.path) for jar in kafka_jars())
    folders = ["-D", str(tmp_path / "image"), "-M", str(tmp_path / "mounted"), "-F", str(tmp_path / "made")]
    done = subprocess.run(
        [java(), "-cp", jars, "kafka.docker.KafkaDockerWrapper", "setup", *folders],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "data" / "meta.properties").exists()
    made = _properties((tmp_path / "made" / "server.properties").read_text())
    assert _properties(PROPERTIES).items() <= made.items()
    assert made["advertised.listeners"] == f"PLAINTEXT://{compose['x-environment']['KAFKA_BROKER']}"
    assert set(made) == set(_properties((kafka.directory / "server.properties").read_text()))


def test_the_brokers_version_is_the_one_that_is_tested(compose: dict[str, Any]) -> None:
    (jar,) = [jar.path.name for jar in kafka_jars() if jar.path.name.startswith("kafka_2.13-")]

    assert (
        compose["services"]["kafka"]["image"] == f"apache/kafka:{jar.removeprefix('kafka_2.13-').removesuffix('.jar')}"
    )


def test_mongod_takes_its_options_and_the_clients_name_its_replica_set(
    compose: dict[str, Any], mongod: Mongod, tmp_path: Path
) -> None:
    service = compose["services"]["mongo"]
    program = mongod.process.command[0]
    where = ["--dbpath", str(tmp_path), "--port", str(free_port()), "--outputConfig"]

    done = subprocess.run(
        [program, *service["command"], *where],
        env=mongod._environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    taken = yaml.safe_load(done.stdout)
    assert taken["replication"]["replSet"] == REPLICA_SET
    assert taken["storage"]["wiredTiger"]["engineConfig"]["cacheSizeGB"] == 0.5
    assert compose["x-environment"]["MONGO_URI"] == f"mongodb://mongo:27017/orders?replicaSet={REPLICA_SET}"
    assert '_id: "rs0", members: [{_id: 0, host: "mongo:27017"}]' in service["healthcheck"]["test"][-1]


def test_no_server_is_published_and_each_keeps_its_data(compose: dict[str, Any]) -> None:
    folders = {"mongo": "/data/db", "redis": "/data", "kafka": "/var/lib/kafka/data"}
    for name, folder in folders.items():
        service = compose["services"][name]
        assert "ports" not in service
        assert service["volumes"] == [f"{name}:{folder}"]
    assert set(compose["volumes"]) == set(folders)


def test_a_missing_password_is_said_by_its_name_and_none_stands_in_the_file() -> None:
    text = (REPOSITORY / "docker-compose.yml").read_text()
    for name in ("COMPOSE_REDIS_PASSWORD", "COMPOSE_FLOWER_PASSWORD"):
        assert re.search(rf"\$\{{{name}:\?[^}}]+\.env", text)
    assert set(re.findall(r"\$\{(\w+)", text)) == {"COMPOSE_REDIS_PASSWORD", "COMPOSE_FLOWER_PASSWORD"}


def _properties(text: str) -> dict[str, str]:
    pairs = [line.partition("=") for line in text.splitlines() if "=" in line]
    return {name: value for name, _, value in pairs}
