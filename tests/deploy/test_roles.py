"""The image's entry point and health check, run as processes on real servers."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from local.processes import Child
from tests.client import Client
from tests.processes import REPOSITORY, Servers, Service, eventually, service
from tests.topics import Topics


@pytest.fixture
def own(servers: Servers, tmp_path: Path) -> Servers:
    return Servers(servers.redis_server, servers.mongod, servers.kafka, database="deploy", redis_db=9)


def entry_point(running: Service, name: str, *words: str) -> Child:
    return running.start(name, "python", "-m", "deploy", *words)


def health(running: Service) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deploy.health"]
    return subprocess.run(
        command, cwd=REPOSITORY, env=running.environment(), capture_output=True, text=True, timeout=30, check=False
    )


def test_one_container_is_the_whole_service_and_term_ends_it(
    own: Servers, tmp_path: Path, topics: Topics, unique: Callable[[str], str]
) -> None:
    product = unique("product")
    with service(own, tmp_path, KAFKA_GROUP=unique("group"), HEARTBEAT_FILE=str(tmp_path / "beat")) as running:
        whole = entry_point(running, "whole", "all")
        eventually(lambda: health(running).returncode == 0, within=60, every=0.5)
        topics.level(product, 5)
        eventually(lambda: own.redis_client().get(f"product:{product}:stock") == "5")
        assert Client(running.url).create(unique("user"), {"productId": product, "quantity": 1})["version"] == 1

        bridge = next(child for child in psutil.Process(whole.pid).children() if "bridge" in child.cmdline())
        bridge.kill()
        eventually(lambda: "bridge ended with exit code -9; starting it again" in whole.log.read_text())
        eventually(lambda: whole.log.read_text().count("bridge.loop: reads ") >= 2, within=60)

        children = psutil.Process(whole.pid).children(recursive=True)
        whole.stop(grace=40)

    assert whole.exit_code == 0
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("words", [("worker", "stock"), ("beat",), ("bridge",)], ids=" ".join)
def test_a_frozen_process_is_unhealthy(
    own: Servers, tmp_path: Path, words: tuple[str, ...], unique: Callable[[str], str]
) -> None:
    with service(own, tmp_path, KAFKA_GROUP=unique("group"), HEARTBEAT_FILE=str(tmp_path / "beat")) as running:
        assert health(running).returncode == 1
        child = entry_point(running, "one", *words)
        eventually(lambda: health(running).returncode == 0, within=60, every=0.5)

        child.pause()
        (heartbeat,) = tmp_path.glob("beat.*")
        # As if it had been frozen for an hour: what a test can't wait for.
        hour_ago = heartbeat.stat().st_mtime - 3600
        os.utime(heartbeat, (hour_ago, hour_ago))
        found = health(running)
        child.resume()

    assert found.returncode == 1
    assert "no heartbeat" in found.stdout


@pytest.mark.parametrize(
    ("words", "complaint"),
    [(("worker", "nonsense"), "invalid choice"), (("flower",), "FLOWER_BASIC_AUTH is not set"), ((), "required")],
)
def test_a_wrong_role_is_one_clear_complaint(own: Servers, words: tuple[str, ...], complaint: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy", *words],
        cwd=REPOSITORY,
        env={"PATH": "/usr/bin:/bin", **own.environment()},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert complaint in done.stderr
