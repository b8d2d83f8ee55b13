"""However many orders hold units of one product, no script keeps Redis busy for long.

`python -m bench.ledger` is the same in large.
"""

from collections.abc import Iterator
from typing import Literal

import pytest

from bench.ledger import MeasuredRedis, busy
from local.servers import RedisServer

HOLDS = 30_000
LONGEST = 20.0
"""Milliseconds of processor time."""


@pytest.fixture
def measured(redis_server: RedisServer) -> Iterator[MeasuredRedis]:
    with MeasuredRedis(port=redis_server.port, db=7) as client:
        client.flushdb()
        yield client
        client.flushdb(asynchronous=True)


@pytest.mark.parametrize("settle", ["timed", "named"])
def test_no_script_is_long_with_very_many_holds(measured: MeasuredRedis, settle: Literal["timed", "named"]) -> None:
    times = busy(measured, HOLDS, settle)

    assert set(times) == {"move_stock", "undo_move", "set_level", "note_published"} | (
        {"settle_quiet"} if settle == "timed" else set()
    )
    assert {name: longest for name, (longest, *_) in times.items() if longest > LONGEST} == {}
