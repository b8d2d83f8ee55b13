"""`docker run order-service`: the whole service in one container, stopped, killed in parts, and read-only."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.client import Client
from tests.deploy.container import Container
from tests.processes import Servers, eventually
from tests.topics import Topics, value

# What the kernel does for process 1 of a container: orphans become its children.
AS_PROCESS_1 = (
    "python",
    "-c",
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(36, 1); os.execvp(sys.argv[1], sys.argv[1:])",
)
PARTS = {"api", "bridge", "beat", "worker-orders", "worker-stock", "worker-logins", "worker-publish"}


@pytest.fixture(scope="module")
def own(servers: Servers) -> Servers:
    return Servers(servers.redis_server, servers.mongod, servers.kafka, database="whole", redis_db=8)


@pytest.fixture(scope="module")
def whole(own: Servers, container: Callable[..., Container]) -> Container:
    """The container, started with nothing but variables, and healthy."""
    one = container(**own.environment(), KAFKA_GROUP="whole")
    one.run(before=AS_PROCESS_1)
    one.wait_until_healthy()
    return one


def test_an_order_travels_the_whole_way(
    whole: Container, own: Servers, topics: Topics, unique: Callable[[str], str]
) -> None:
    product, user = unique("product"), unique("user")
    topics.level(product, 5)
    topics.send("user_logged_in", {"userId": user, "email": f"{user}@example.com"}, user)
    eventually(lambda: own.redis_client().get(f"product:{product}:stock") == "5")
    eventually(lambda: own.redis_client().hget("user:email", user))

    order = Client(f"http://127.0.0.1:{whole.port}").create(user, {"productId": product, "quantity": 2})

    assert own.redis_client().get(f"product:{product}:stock") == "3"
    with topics.reader("order_created") as created:
        (event,) = created.wait_for(1, order["orderId"])
    assert value(event)["email"] == f"{user}@example.com"


def test_the_health_check_names_each_of_its_processes(whole: Container) -> None:
    lines = whole.health().stdout.splitlines()

    assert set(lines) == {f"{part}: works" for part in PARTS}


def test_a_killed_worker_is_started_again_with_nothing_left_of_it_and_what_waited_is_done(
    whole: Container, own: Servers, unique: Callable[[str], str]
) -> None:
    client, product = Client(f"http://127.0.0.1:{whole.port}"), unique("product")
    own.redis_client().set(f"product:{product}:stock", 1)
    worker = _part(whole, "orders@%h")
    pool = worker.children()
    assert pool

    worker.kill()
    eventually(lambda: "worker-orders ended with exit code -9; starting it again in 1 s" in whole.log())
    task = client.accepted("POST", "/order/create", {"userId": unique("user"), "productId": product, "quantity": 1})

    assert client.ended(task["taskId"])["outcome"] == "created"
    # Not even as zombies: this supervisor is their parent now.
    eventually(lambda: not any(process.is_running() for process in [worker, *pool]))
    assert _part(whole, "orders@%h").pid != worker.pid


def test_a_killed_api_is_unhealthy_until_it_answers_again(whole: Container) -> None:
    _part(whole, "gunicorn").kill()

    eventually(lambda: "api: /livez does not answer" in whole.health().stdout)
    eventually(whole.healthy, every=0.5)


def test_nothing_is_written_but_the_heartbeats(whole: Container, app_folder: Path) -> None:
    assert whole.healthy()
    assert not [path for path in app_folder.rglob("*") if path.suffix == ".pyc" or path.name == "__pycache__"]
    assert {path.name for path in whole.folder.iterdir()} == {"log", *(f"heartbeat.{part}" for part in PARTS)}
    for process in whole.processes():
        for file in process.open_files():
            assert file.mode == "r" or Path(file.path).is_relative_to("/dev/shm") or file.path.endswith("/log"), file


def test_term_stops_all_of_it_in_order(whole: Container) -> None:
    assert whole.process
    before = whole.processes()

    os.kill(whole.process.pid, 15)

    assert whole.process.wait(timeout=25) == 0
    assert not [process for process in before if process.is_running()]
    first, then = re.findall(r"order-service: stopping (.+)", whole.log())
    assert {*first.split(", "), *then.split(", ")} == PARTS
    assert {part for part in PARTS if part.startswith("worker-")} == set(then.split(", "))
    assert "killing it" not in whole.log()


def _part(whole: Container, word: str) -> psutil.Process:
    (found,) = [process for process in whole.processes()[0].children() if word in process.cmdline()]
    return found
