"""The kinds of process that a container can run, and how each is started."""

import os
import sys
from dataclasses import dataclass

import celeryconfig
from deploy import heartbeats
from settings import settings

QUEUES = tuple(queue.name for queue in celeryconfig.task_queues)
FLOWER_PORT = 5555

_PYTHON = (sys.executable, "-m")
_CELERY = (*_PYTHON, "celery", "-A", "tasks")


@dataclass(frozen=True)
class Process:
    """A process of the service, not started."""

    name: str
    command: tuple[str, ...]

    def environment(self) -> dict[str, str]:
        """Return its environment, with a heartbeat file of its own that is noted as expected."""
        return {**os.environ, "HEARTBEAT_FILE": str(heartbeats.expect(self.name))}


def api() -> Process:
    """Return the HTTP API."""
    return Process("api", (*_PYTHON, "gunicorn", "api:create_app()"))


def worker(queue: str) -> Process:
    """Return a worker on one queue; `%h` is the container's host name, so each of many has a name of its own."""
    names = ("-Q", queue, "-n", f"{queue}@%h", "--include", "deploy.worker_heartbeat")
    return Process(f"worker-{queue}", (*_CELERY, "worker", *names))


def beat() -> Process:
    """Return beat; there must be one only."""
    return Process("beat", (*_CELERY, "beat"))


def bridge() -> Process:
    """Return the bridge from Kafka."""
    return Process("bridge", (*_PYTHON, "bridge"))


def flower() -> Process:
    """Return Flower, which reads its own options, FLOWER_BASIC_AUTH among them, from the environment."""
    return Process("flower", (*_CELERY, "flower", f"--address={settings().host}", f"--port={FLOWER_PORT}"))


def whole_service() -> list[list[Process]]:
    """Return one of each kind but Flower, in the order in which they stop: first what brings work in."""
    return [[api(), bridge(), beat()], [worker(queue) for queue in QUEUES]]
