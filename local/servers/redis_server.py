"""Redis as the service needs it: nothing acknowledged is lost, nothing is evicted."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from local.downloads import Download
from local.servers.server import Server
from local.wheels import REDIS_SERVER


def redis_program() -> str:
    """Return the `redis-server` that is run."""
    return shutil.which("redis-server") or str(REDIS_SERVER.unpacked / "redis-server")


class RedisServer(Server):
    """`redis-server` of PATH, else of a wheel."""

    name = "redis-server"

    def __init__(
        self, directory: Path, port: int | None = None, *, log: Path | None = None, arguments: Sequence[str] = ()
    ) -> None:
        """`arguments` are added to the command line, for instance `("--maxmemory", "20mb")`."""
        super().__init__(directory, port, log=log)
        self.arguments = list(arguments)

    def downloads(self) -> Sequence[Download]:
        """Return the wheel, unless PATH has a redis-server."""
        return [] if shutil.which("redis-server") else [REDIS_SERVER]

    def _command(self) -> Sequence[str]:
        settings = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self.directory),
            "appendonly": "yes",
            "appendfsync": "always",
            "maxmemory-policy": "noeviction",
            "save": "",
            # By its own 64mb Redis writes its file anew every five seconds of full load, and fsyncs wait for that one.
            "auto-aof-rewrite-min-size": "256mb",
        }
        return [
            redis_program(),
            *(word for name, value in settings.items() for word in (f"--{name}", value)),
            *self.arguments,
        ]

    def _answers(self) -> bool:
        with Redis(port=self.port, socket_timeout=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0)) as client:
            try:
                return bool(client.ping())
            except RedisError:
                return False
