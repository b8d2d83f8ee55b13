"""docker-compose.yml, held against the code; no Docker engine is needed."""

import runpy
import subprocess
from typing import Any

import pytest
import yaml

import celeryconfig
from deploy.processes import whole_service
from deploy.supervisor import Policy
from flowerconfig import port as flower_port
from settings import Settings
from tasks.worker import GIVE_UP_SECONDS, LEAVE_SECONDS
from tests.processes import BIN, REPOSITORY

OURS_IN_COMPOSE = {
    "api": ["api"],
    "beat": ["beat"],
    "bridge": ["bridge"],
    "flower": ["flower"],
    **{f"worker-{queue.name}": ["worker", queue.name] for queue in celeryconfig.task_queues},
}


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


def test_every_server_has_a_health_check_and_a_volume(compose: dict[str, Any]) -> None:
    for name in ("mongo", "redis", "kafka"):
        assert compose["services"][name]["healthcheck"]["test"]
        assert compose["services"][name]["volumes"][0].split(":")[0] in compose["volumes"]


def test_one_service_builds_the_image_that_all_of_ours_run(compose: dict[str, Any]) -> None:
    ours = {name: compose["services"][name] for name in OURS_IN_COMPOSE}

    assert {service["image"] for service in ours.values()} == {"order-service"}
    assert [name for name, service in ours.items() if "build" in service] == ["api"]


def test_ours_write_to_tmp_alone_and_gain_no_rights(compose: dict[str, Any]) -> None:
    for name in OURS_IN_COMPOSE:
        service = compose["services"][name]
        assert [mount.partition(":")[0] for mount in service["tmpfs"]] == ["/tmp"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "volumes" not in service
        assert service["restart"] == "unless-stopped"


def test_each_limit_of_a_stop_fits_into_the_one_around_it(compose: dict[str, Any]) -> None:
    grace = Policy().grace

    assert grace >= LEAVE_SECONDS + GIVE_UP_SECONDS + 2
    assert gunicorn_settings()["graceful_timeout"] + 2 <= grace
    for name in OURS_IN_COMPOSE:
        assert compose["services"][name]["stop_grace_period"] == "30s"
    assert len(whole_service()) * grace + 2 <= 30


def gunicorn_settings() -> dict[str, Any]:
    return runpy.run_path(str(REPOSITORY / "gunicorn.conf.py"))
