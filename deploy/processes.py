"""The kinds of process that a container can run, and how each is started."""

import os
import sys
from dataclasses import dataclass

import celeryconfig
from deploy import heartbeats
from settings import settings

QUEUES = tuple(queue.name for queue in celeryconfig.task_queues)

_PYTHON = (sys.executable, "-m")
_CELERY = (*_PYTHON, "celery", "-A", "tasks")


@dataclass(frozen=True)
class Process:
    """A process of the service, not started."""

    name: str
    command: tuple[str, ...]
    health: str | None = None
    """URL that answers 200 while it works; None for one that touches its heartbeat file."""

    def environment(self) -> dict[str, str]:
        """Return its environment, with a heartbeat file of its own that is noted as expected."""
        return {**os.environ, "HEARTBEAT_FILE": str(heartbeats.expect(self.name, self.health))}


def api() -> Process:
    """Return the HTTP API. It is healthy without its servers: replacing it brings none back, and some reads go on."""
    return Process("api", (*_PYTHON, "gunicorn", "api:create_app()"), _url(str(settings().port), "/livez"))


def worker(queue: str) -> Process:
    """Return a worker on one queue; `%h` is the container's host name, so each of many has a name of its own."""
    return Process(f"worker-{queue}", (*_CELERY, "worker", "-Q", queue, "-n", f"{queue}@%h"))


def beat() -> Process:
    """Return beat; there must be one only."""
    return Process("beat", (*_CELERY, "beat"))


def bridge() -> Process:
    """Return the bridge from Kafka."""
    return Process("bridge", (*_PYTHON, "bridge"))


def flower() -> Process:
    """Return Flower. It reads FLOWER_BASIC_AUTH and the like by itself, but flowerconfig.py goes before FLOWER_PORT."""
    port = os.environ.get("FLOWER_PORT") or "5555"
    command = (*_CELERY, "flower", f"--address={settings().host}", f"--port={port}")
    return Process("flower", command, _url(port, "/healthcheck"))


def whole_service() -> list[list[Process]]:
    """Return one of each kind but Flower, in the order in which they stop: first what brings work in."""
    return [[api(), bridge(), beat()], [worker(queue) for queue in QUEUES]]


def _url(port: str, path: str) -> str:
    host = settings().host  # 0.0.0.0 and ::, asked from inside, are this container
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{path}"
