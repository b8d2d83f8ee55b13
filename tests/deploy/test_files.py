"""Dockerfile and docker-compose.yml, held against the code; no Docker engine is needed."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import celeryconfig
from deploy.processes import QUEUES
from flowerconfig import port as flower_port
from settings import Settings
from tests.processes import BIN, REPOSITORY

OURS_IN_COMPOSE = {
    "api": ["api"],
    "beat": ["beat"],
    "bridge": ["bridge"],
    "flower": ["flower"],
    **{f"worker-{queue.name}": ["worker", queue.name] for queue in celeryconfig.task_queues},
}
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
    return found


def test_the_dockerfile_is_clean() -> None:
    done = subprocess.run([BIN / "hadolint", REPOSITORY / "Dockerfile"], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_yaml_is_clean() -> None:
    done = subprocess.run(
        [BIN / "yamllint", "--strict", "docker-compose.yml"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout


def test_compose_runs_each_kind_of_process_by_itself(compose: dict[str, Any]) -> None:
    services = compose["services"]

    assert set(services) == {*OURS_IN_COMPOSE, "mongo", "redis", "kafka"}
    assert {name: services[name]["command"] for name in OURS_IN_COMPOSE} == OURS_IN_COMPOSE


@pytest.mark.parametrize("name", sorted(OURS_IN_COMPOSE))
def test_a_process_of_ours_is_confined_and_waits_for_healthy_servers(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "container_name" not in service
    assert {server: how["condition"] for server, how in service["depends_on"].items()} == {
        "mongo": "service_healthy",
        "redis": "service_healthy",
        "kafka": "service_healthy",
    }
    known = {field.upper() for field in Settings.model_fields} | {"FLOWER_BASIC_AUTH"}
    assert set(service["environment"]) <= known


def test_only_the_api_and_flower_are_published_and_only_here(compose: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}

    port = Settings.model_fields["port"].default
    assert published == {
        "api": [f"127.0.0.1:{port}:{port}"],
        "flower": [f"127.0.0.1:{flower_port}:{flower_port}"],
    }
    assert f"EXPOSE {port}" in DOCKERFILE


def test_redis_keeps_what_it_has_acknowledged(compose: dict[str, Any]) -> None:
    lines = compose["configs"]["redis"]["content"].splitlines()

    assert {"appendonly yes", "appendfsync always", "maxmemory-policy noeviction"} <= set(lines)
    assert any(line.startswith("requirepass ${COMPOSE_REDIS_PASSWORD:?") for line in lines)


def test_every_server_has_a_health_check_and_a_volume(compose: dict[str, Any]) -> None:
    for name in ("mongo", "redis", "kafka"):
        assert compose["services"][name]["healthcheck"]["test"]
        assert compose["services"][name]["volumes"][0].split(":")[0] in compose["volumes"]


def test_no_secret_stands_in_the_file(compose: dict[str, Any]) -> None:
    text = (REPOSITORY / "docker-compose.yml").read_text()

    assert re.findall(r"(?m)^[^#\n]*(?:PASSWORD|AUTH|requirepass):? +(?!\S*\$\{)(?!&|\*)(\S+)", text) == []


def test_the_image_has_what_the_service_imports_and_nothing_else() -> None:
    copied = set(re.findall(r"(?m)^COPY (\w+) \1$", DOCKERFILE))

    assert copied == {"api", "bridge", "deploy", "models", "tasks"}
    for module in ("settings.py", "celeryconfig.py", "gunicorn.conf.py", "flowerconfig.py"):
        assert module in DOCKERFILE
    allowed = {line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied <= allowed
    assert not allowed & {".env", ".git", ".venv", ".local", "tests", "bench", "local"}


def test_the_image_runs_as_nobody_in_particular() -> None:
    assert re.search(r"(?m)^USER 10001:10001$", DOCKERFILE)
    assert "--require-hashes" in DOCKERFILE
    assert set(QUEUES) == {"orders", "stock", "logins", "publish"}
    assert Path(REPOSITORY / "deploy" / "__main__.py").exists()
