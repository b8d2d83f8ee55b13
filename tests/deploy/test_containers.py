"""One container for each kind of process: what compose starts, as processes on real servers."""

import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
import requests

from deploy.heartbeats import FRESH_SECONDS
from local.ports import free_port
from tests.client import Client
from tests.deploy.container import Container
from tests.processes import Servers, eventually

LOGIN = "admin:letmein"
KINDS = (["api"], ["worker", "orders"], ["worker", "publish"], ["beat"], ["bridge"], ["flower"])
Containers = Mapping[str, Container]


@pytest.fixture(scope="module")
def own(servers: Servers) -> Servers:
    return Servers(servers.redis_server, servers.mongod, servers.kafka, database="containers", redis_db=7)


@pytest.fixture(scope="module")
def containers(own: Servers, container: Callable[..., Container]) -> Containers:
    """One of each kind. Kafka is out of the publishing worker's reach."""
    started = {}
    for kind in KINDS:
        variables = {**own.environment(), "KAFKA_GROUP": "containers", "VISIBILITY_TIMEOUT": "60"}
        if kind == ["flower"]:
            variables |= {"FLOWER_BASIC_AUTH": LOGIN, "FLOWER_PORT": str(free_port())}
        if kind == ["worker", "publish"]:
            variables |= {"KAFKA_BROKER": f"127.0.0.1:{free_port()}"}
        started[" ".join(kind)] = container(**variables)
        started[" ".join(kind)].run(*kind)
    with ThreadPoolExecutor() as pool:
        list(pool.map(Container.wait_until_healthy, started.values()))
    return started


def test_a_container_is_one_process_and_not_a_supervisor_with_one(containers: Containers) -> None:
    for kind, each in containers.items():
        assert each.process
        command = " ".join(each.processes()[0].cmdline())
        assert kind.split()[0].replace("api", "gunicorn") in command
        assert "-m deploy" not in command


def test_an_order_accepted_in_one_is_created_in_another(
    containers: Containers, own: Servers, unique: Callable[[str], str]
) -> None:
    product = unique("product")
    own.redis_client().set(f"product:{product}:stock", 3)

    order = Client(f"http://127.0.0.1:{containers['api'].port}").create(
        unique("user"), {"productId": product, "quantity": 1}
    )

    assert order["status"] == "confirmed"


def test_flower_shows_nothing_without_the_password(containers: Containers) -> None:
    url = f"http://127.0.0.1:{containers['flower'].environment['FLOWER_PORT']}/"
    user, _, password = LOGIN.partition(":")

    assert requests.get(url, timeout=5).status_code == 401
    assert requests.get(url, timeout=5, auth=(user, password)).status_code == 200
    assert all(LOGIN not in word for word in containers["flower"].processes()[0].cmdline())


def test_flower_does_not_start_without_a_password(own: Servers, container: Callable[..., Container]) -> None:
    done = container(**own.environment()).refuse("flower")

    assert done.returncode == 2
    assert "FLOWER_BASIC_AUTH is not set" in done.stderr


@pytest.mark.parametrize("kind", ["beat", "bridge", "worker orders"])
def test_a_heartbeat_counts_for_half_a_minute(containers: Containers, kind: str) -> None:
    each = containers[kind]
    assert each.process
    each.process.pause()
    try:
        _age_heartbeat(each, FRESH_SECONDS - 10)
        assert each.healthy()
        _age_heartbeat(each, FRESH_SECONDS + 1)
        assert not each.healthy()
    finally:
        each.process.resume()
    eventually(each.healthy, every=0.5)


def test_frozen_containers_are_unhealthy_until_they_go_on(containers: Containers) -> None:
    for each in containers.values():
        assert each.process
        each.process.pause()
        _age_heartbeat(each, FRESH_SECONDS + 1)
    try:
        healthy = _healths(containers)
    finally:
        for each in containers.values():
            assert each.process
            each.process.resume()

    assert healthy == dict.fromkeys(containers, False)
    eventually(lambda: all(_healths(containers).values()), within=30, every=1)


def test_a_container_that_runs_nothing_is_unhealthy(own: Servers, container: Callable[..., Container]) -> None:
    done = container(**own.environment()).health()

    assert done.returncode == 1
    assert done.stdout == "nothing was started here\n"


@pytest.mark.parametrize(
    ("asked", "variables", "complaint"),
    [
        (["worker", "nonsense"], {}, "'nonsense'"),
        (["worker"], {}, "queue"),
        (["cron"], {}, "'cron'"),
        (["api"], {"PORT": "http"}, "order-service: PORT is wrong"),
        (["all"], {"REDIS_PORT": "0"}, "order-service: REDIS_PORT is wrong"),
        (["all"], {"HEARTBEAT_FILE": ""}, "HEARTBEAT_FILE is not set"),
        (["bridge"], {"HEARTBEAT_FILE": "/proc/heartbeat"}, "HEARTBEAT_FILE can't be written"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_why_nothing_can_be_started_is_the_last_line(
    own: Servers,
    container: Callable[..., Container],
    asked: list[str],
    variables: dict[str, str],
    complaint: str,
) -> None:
    done = container(**{**own.environment(), **variables}).refuse(*asked)

    assert done.returncode == 2
    assert complaint in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_stopped_containers_end_by_themselves_and_give_back_what_they_can_not_end(
    containers: Containers, own: Servers, unique: Callable[[str], str]
) -> None:
    queue, worker = own.redis_client(), containers["worker publish"]
    Client(f"http://127.0.0.1:{containers['api'].port}").get(f"/order/{unique('user')}")
    eventually(lambda: "waiting for a server" in worker.log())
    everything = [process for each in containers.values() for process in each.processes()]
    assert any("publish_user_orders" in message for message in queue.hvals("unacked"))
    for each in containers.values():
        assert each.process
        os.kill(each.process.pid, 15)

    codes = {kind: each.process.wait(timeout=20) for kind, each in containers.items() if each.process}

    assert codes == dict.fromkeys(containers, 0)
    # (One that its parent was too dead to reap is a zombie, until whoever inherits it does.)
    assert not [each for each in everything if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]
    assert queue.hlen("unacked") == 0
    assert any("publish_user_orders" in message for message in queue.lrange("publish", 0, -1))


def _age_heartbeat(each: Container, seconds: float) -> None:
    (file,) = each.folder.glob("heartbeat.*")
    then = time.time() - seconds
    os.utime(file, (then, then))


def _healths(containers: Containers) -> dict[str, bool]:
    with ThreadPoolExecutor() as pool:
        return dict(zip(containers, pool.map(Container.healthy, containers.values()), strict=True))
