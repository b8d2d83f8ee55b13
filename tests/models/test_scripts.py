"""Scripts that share a round trip: each runs, whatever becomes of the others and whatever Redis has forgotten."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from local.servers import RedisServer
from models.scripts import Call, call_all


@pytest.fixture
def client(tmp_path: Path) -> Iterator["redis.Redis"]:
    server = RedisServer(tmp_path / "redis")
    server.start()
    yield redis.Redis(port=server.port, decode_responses=True)
    server.stop()


def calls(client: "redis.Redis") -> list[Call]:
    add = client.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    fail = client.register_script("return redis.error_reply('ERR as told')")
    return [Call(add, ["a"], [2]), Call(fail, [], []), Call(add, ["b"], [3])]


@pytest.mark.parametrize("known", ["all", "none", "the first"])
def test_one_that_fails_is_told_of_and_stops_no_other(known: str, client: "redis.Redis") -> None:
    asked = calls(client)
    for call in {"all": asked, "none": [], "the first": asked[:1]}[known]:
        client.script_load(call.script.script)

    first, failed, last = call_all(client, asked, raise_on_error=False)

    assert (first, str(failed), last) == (2, "as told", 3)
    assert client.mget("a", "b") == ["2", "3"]
    with pytest.raises(redis.ResponseError, match="as told"):
        call_all(client, asked)
    assert client.mget("a", "b") == ["4", "6"]


def test_what_is_known_takes_one_round_trip(client: "redis.Redis") -> None:
    asked = [call for call in calls(client) if call.keys]
    call_all(client, asked)

    def reads() -> int:
        return int(client.info("stats")["total_reads_processed"])

    before = reads()
    call_all(client, asked)
    assert reads() - before == 2  # the calls, and the question for this number


def test_a_redis_that_is_away_is_no_answer(client: "redis.Redis") -> None:
    gone = redis.Redis(port=1)
    with pytest.raises(redis.ConnectionError):
        call_all(gone, calls(client), raise_on_error=False)
