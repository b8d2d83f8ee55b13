"""A Redis user who may do what the README says, and nothing else."""

import re
from pathlib import Path

import pytest

from local.servers import KafkaBroker, Mongod, RedisServer
from tests.client import Client
from tests.processes import REPOSITORY, Servers, service

README = (REPOSITORY / "README.md").read_text()


@pytest.fixture
def rights() -> list[str]:
    [told] = re.findall(r"`(~\* [^`]*)`", README)
    return str(told).split()


def test_the_service_needs_no_more_rights_than_the_readme_says(
    rights: list[str], mongod: Mongod, kafka: KafkaBroker, tmp_path: Path
) -> None:
    redis = RedisServer(tmp_path / "redis", arguments=["--user", "shop", "on", ">secret", *rights])
    redis.start()
    try:
        own = Servers(redis, mongod, kafka, database="user")
        own.redis_client().set("product:lamp:stock", 1)
        own.make_topics()
        with service(own, tmp_path, REDIS_USERNAME="shop", REDIS_PASSWORD="secret") as running:
            running.whole()
            client = Client(running.url)
            order = {"userId": "someone", "productId": "lamp", "quantity": 1}
            assert client.write("POST", "/order/create", order)["outcome"] == "created"
            assert len(client.get("/order/someone").json()) == 1
            assert all(child.running for child in running.children.values())
            running.children["worker-orders"].stop()
            assert "permission" not in (running.logs / "worker-orders.log").read_text().lower()
        denied = own.redis_client().acl_log()
    finally:
        redis.stop()

    # redis-py says its own name (CLIENT SETINFO) and goes on where it may not, as with Redis before 7.2.
    assert {entry["object"] for entry in denied} <= {"client"}
