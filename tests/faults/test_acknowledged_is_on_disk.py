"""What Redis has acknowledged is on its disk: `appendfsync always`, seen from outside.

A disk that takes no more, for a limit on the size of files, tells the two settings apart at once: with `always` Redis
ends before it answers, with `everysec` it answers first and writes later. A kill then loses what it had acknowledged.
"""

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from local.servers import RedisServer

# Without the trap the limit's signal would kill Redis, whatever its setting.
IGNORING_THE_LIMIT = 'trap "" XFSZ; exec "$@"'


class FullDisk(RedisServer):
    """A Redis that hears of a full disk as an error."""

    def _command(self) -> list[str]:
        return ["/bin/sh", "-c", IGNORING_THE_LIMIT, "sh", *super()._command()]

    def fill(self) -> None:
        """Let no file grow beyond what the AOF has now."""
        size = max(path.stat().st_size for path in self.directory.rglob("*.aof"))
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FullDisk]:
    running = FullDisk(tmp_path)
    running.start()
    yield running
    running.stop()


def client_of(server: RedisServer) -> "Redis":
    return Redis(port=server.port, socket_timeout=2, retry=Retry(NoBackoff(), 0), decode_responses=True)


def test_redis_acknowledges_nothing_that_its_disk_did_not_take(server: FullDisk) -> None:
    acknowledged, refused = [], []
    with client_of(server) as client:
        client.set("before", "value")
        server.fill()
        for number in range(10):
            try:
                client.set(f"after:{number}", "value")
                acknowledged.append(f"after:{number}")
            except RedisError:
                refused.append(number)
    assert refused, "the disk was not full"

    server.kill()
    server.start()

    with client_of(server) as client:
        assert client.get("before") == "value"
        assert [name for name in acknowledged if client.get(name) != "value"] == []
