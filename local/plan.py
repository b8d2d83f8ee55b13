"""What a run starts: the servers that nobody named, and the service's processes with a complete environment."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

from local.errors import RefusedError
from local.ports import is_free
from local.processes import Child
from local.servers import KafkaBroker, Mongod, RedisServer, Server
from local.state import State

QUEUES = ("orders", "stock", "logins", "publish")
HTTP_PORT, FLOWER_PORT = 8002, 5555


def named(root: Path) -> dict[str, str]:
    """Return the variables that the environment or `.env` sets; an empty one counts as not set, as in settings.py."""
    return {name: value for name, value in {**dotenv_values(root / ".env"), **os.environ}.items() if value}


class Plan:
    """The servers to start, and what the service's processes are told about these and the named ones."""

    def __init__(self, state: State, variables: Mapping[str, str]) -> None:
        """Nothing is started; ports are chosen. `variables` are the checked ones of `named`."""
        self._state = state
        self._variables = variables
        self.servers: list[Server] = []
        self.environment: dict[str, str] = {}
        if "REDIS_HOST" not in variables and "REDIS_PORT" not in variables:
            redis = RedisServer(*self._place("redis-server"), log=self._log("redis-server"))
            self._start(redis, REDIS_HOST="127.0.0.1", REDIS_PORT=str(redis.port))
        if "MONGO_URI" not in variables:
            mongod = Mongod(*self._place("mongod"), log=self._log("mongod"))
            self._start(mongod, MONGO_URI=mongod.uri)
        if "KAFKA_BROKER" not in variables:
            kafka = KafkaBroker(*self._place("kafka"), log=self._log("kafka"))
            self._start(kafka, KAFKA_BROKER=kafka.bootstrap)
        self.environment["PORT"] = str(self._http_port())
        self.flower_port = state.port("flower", FLOWER_PORT)

    def _place(self, name: str) -> tuple[Path, int]:
        return self._state.folder / name, self._state.port(name)

    def _log(self, name: str) -> Path:
        return self._state.logs / f"{name}.log"

    def _start(self, server: Server, **variables: str) -> None:
        self.servers.append(server)
        self.environment.update(variables)

    def _http_port(self) -> int:
        if "PORT" not in self._variables:
            return self._state.port("api", HTTP_PORT)
        port = int(self._variables["PORT"])
        if not is_free(port):
            raise RefusedError(f"PORT is set to {port}, but another process listens there")
        return port

    def service(self, root: Path) -> list[list[Child]]:
        """Return the service's processes in the order in which they stop: what brings work in first."""
        python = [sys.executable, "-m"]
        celery = [*python, "celery", "-A", "tasks"]
        environment = {**os.environ, **self.environment}

        def child(name: str, command: list[str]) -> Child:
            return Child(name, command, log=self._log(name), cwd=root, environment=environment)

        return [
            [child("api", [*python, "gunicorn", "api:create_app()"])],
            [child("bridge", [*python, "bridge"])],
            [child("beat", [*celery, "beat"])],
            [child(f"worker-{queue}", [*celery, "worker", "-Q", queue, "-n", f"{queue}@%h"]) for queue in QUEUES],
            [child("flower", [*celery, "flower", "--address=127.0.0.1", f"--port={self.flower_port}"])],
        ]
