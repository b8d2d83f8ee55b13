"""What counts as an outage: a full or replaced server refuses a script in words of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from local.servers import RedisServer
from models.ids import new_id
from models.movements import Movement
from models.stock import Stock
from tasks.patience import is_outage


@pytest.fixture
def own(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path / "redis")
    server.start()
    yield server
    server.stop()


@pytest.mark.parametrize("setting", [("maxmemory", "1"), ("replicaof", "127.0.0.1 1"), ("min-replicas-to-write", "1")])
def test_a_script_refused_by_a_server_that_will_take_it_later_is_tried_again(
    setting: tuple[str, str], own: RedisServer
) -> None:
    client = redis.Redis(port=own.port, decode_responses=True)
    stock = Stock(client)
    client.set("product:p:stock", 10)
    if setting[0] == "replicaof":
        client.replicaof(*setting[1].split())
    else:
        client.config_set(*setting)

    with pytest.raises(redis.RedisError) as refused:
        stock.move([Movement(new_id(), 1, "task", {"p": 1})])

    assert is_outage(refused.value)


def test_a_script_with_a_fault_of_its_own_is_no_outage(own: RedisServer) -> None:
    with pytest.raises(redis.RedisError) as broken:
        redis.Redis(port=own.port).eval("return redis.call('INCR', 'a', 'b')", 0)

    assert not is_outage(broken.value)
