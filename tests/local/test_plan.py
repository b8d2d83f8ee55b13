"""A server that somebody named is used, not started; every process is told where all of them are."""

import socket
from pathlib import Path

import pytest

from local.errors import RefusedError
from local.plan import Plan, named
from local.state import State

NAMES = ("MONGO_URI", "REDIS_HOST", "REDIS_PORT", "KAFKA_BROKER", "PORT")


@pytest.fixture(autouse=True)
def _nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def plan(root: Path, env_file: str = "") -> Plan:
    (root / ".env").write_text(env_file)
    (root / ".local").mkdir(exist_ok=True)
    return Plan(State(root / ".local"), named(root))


def test_without_a_named_server_all_three_are_started_and_the_environment_is_complete(tmp_path: Path) -> None:
    chosen = plan(tmp_path)
    assert [server.name for server in chosen.servers] == ["redis-server", "mongod", "kafka"]
    redis, mongod, kafka = (server.port for server in chosen.servers)
    assert chosen.environment == {
        "MONGO_URI": f"mongodb://127.0.0.1:{mongod}/orders?replicaSet=rs0",
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": str(redis),
        "KAFKA_BROKER": f"127.0.0.1:{kafka}",
        "PORT": chosen.environment["PORT"],
    }


@pytest.mark.parametrize(
    ("named_ones", "started"),
    [
        ("MONGO_URI=mongodb://db/orders", ["redis-server", "kafka"]),
        ("REDIS_HOST=cache", ["mongod", "kafka"]),
        ("REDIS_PORT=6379", ["mongod", "kafka"]),
        ("KAFKA_BROKER=kafka:9092", ["redis-server", "mongod"]),
        ("MONGO_URI=mongodb://db/orders\nREDIS_HOST=cache\nKAFKA_BROKER=kafka:9092", []),
        ("MONGO_URI=\nREDIS_HOST=\nKAFKA_BROKER=", ["redis-server", "mongod", "kafka"]),
    ],
)
def test_a_server_that_env_file_names_is_not_started(tmp_path: Path, named_ones: str, started: list[str]) -> None:
    chosen = plan(tmp_path, named_ones)
    assert [server.name for server in chosen.servers] == started
    names = {line.partition("=")[0] for line in named_ones.splitlines() if not line.endswith("=")}
    assert not names & set(chosen.environment), "the value that somebody gave is overridden"


def test_a_server_that_the_environment_names_is_not_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGO_URI", "mongodb://db/orders")
    assert [server.name for server in plan(tmp_path).servers] == ["redis-server", "kafka"]


def test_ports_are_the_same_in_the_next_run_unless_taken_meanwhile(tmp_path: Path) -> None:
    first = [server.port for server in plan(tmp_path).servers]
    assert [server.port for server in plan(tmp_path).servers] == first
    with socket.create_server(("127.0.0.1", first[1])):
        moved = [server.port for server in plan(tmp_path).servers]
    assert [moved[0], moved[2]] == [first[0], first[2]]
    assert moved[1] != first[1]


def test_a_named_port_that_is_taken_is_refused_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(RefusedError, match=f"^PORT is set to {port}, but another process listens there$"):
            plan(tmp_path, f"PORT={port}")


def test_the_usual_port_gives_way_when_it_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr("local.plan.HTTP_PORT", port)
        assert plan(tmp_path).environment["PORT"] != str(port)
    assert plan(tmp_path).environment["PORT"] == str(port)


def test_all_processes_of_the_service_are_started_and_each_queue_has_a_worker(tmp_path: Path) -> None:
    names = [[child.name for child in stage] for stage in plan(tmp_path).service(tmp_path)]
    workers = ["worker-orders", "worker-stock", "worker-logins", "worker-publish"]
    assert names == [["api"], ["bridge"], ["beat"], workers, ["flower"]]
