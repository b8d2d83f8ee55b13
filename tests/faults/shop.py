"""The service under test: its own servers and processes, and a watchman that starts again what was killed.

Faults only kill, freeze and stop; that a dead process is replaced is left to the watchman, as it is to Docker or
systemd elsewhere.
"""

import signal
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import redis
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from redis.backoff import NoBackoff
from redis.retry import Retry

from local.processes import Child
from local.servers import KafkaBroker, Mongod, RedisServer, Server
from tests.processes import BIN, REPOSITORY, Servers, Service, eventually
from tests.topics import OUTGOING

QUEUES = ("orders", "stock", "logins", "publish")
RESTART_SECONDS = 0.2
"""How often the watchman looks: about how long a dead process stays dead."""

SETTLE_SECONDS = 5
"""`STOCK_SETTLE_SECONDS` of the service under test: short, so that rule (b) is used within a row."""


def worker_command(queue: str, name: str, *options: str) -> tuple[str, ...]:
    """Return how a worker is started; mingling would ask the others for a second what they have revoked."""
    return ("celery", "-A", "tasks", "worker", "-Q", queue, "-n", f"{name}@%h", "--without-mingle", *options)


ORDER_WORKERS = {f"orders-{number}": worker_command("orders", f"orders-{number}") for number in (1, 2)}
BRIDGES = {f"bridge-{number}": ("python", "-m", "bridge") for number in (1, 2)}
ROLES: dict[str, tuple[str, ...]] = {
    "api": ("gunicorn", "api:create_app()"),
    "beat": ("celery", "-A", "tasks", "beat"),
    **ORDER_WORKERS,
    **{queue: worker_command(queue, queue, "-c", "1") for queue in QUEUES[1:]},
    **BRIDGES,
}


class Shop:
    """Everything that may be killed, by its name."""

    def __init__(self, folder: Path) -> None:
        """Nothing is started; all data and logs stay in the folder."""
        self.folder = folder
        self.servers = Servers(RedisServer(folder / "redis"), Mongod(folder / "mongod"), KafkaBroker(folder / "kafka"))
        logs = folder / "logs"
        logs.mkdir(parents=True)
        self.service = Service(self.servers, logs, {"STOCK_SETTLE_SECONDS": str(SETTLE_SECONDS)})
        self._changing = threading.RLock()
        self._left_alone: set[str] = set()
        self._log_begins: dict[str, int] = {}  # of the process that runs now
        self._closing = threading.Event()
        self._watchman = threading.Thread(target=self._watch, name="watchman", daemon=True)
        self.redis = redis.Redis(
            port=self.servers.redis_server.port,
            decode_responses=True,
            socket_timeout=5,
            retry=Retry(NoBackoff(), 1),
        )

    def start(self) -> None:
        """Start servers, topics and processes, and return when the API answers."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda server: server.start(), self._all_servers()))
        self.servers.make_topics()
        self._note_when_events_arrive()
        for role, command in ROLES.items():
            self.service.start(role, *command)
        eventually(self.service._answers, within=60)
        self._watchman.start()

    def close(self) -> None:
        """Stop all of it, frozen or not."""
        self._closing.set()
        if self._watchman.is_alive():
            self._watchman.join()
        for server in self._all_servers():
            if server.running:
                server.resume()
        self.service.stop()
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda server: server.stop(), self._all_servers()))
        self.redis.close()

    def child(self, role: str) -> Child:
        """Return the process of a role."""
        return self.service.children[role]

    def pool(self, role: str) -> list[psutil.Process]:
        """Return the pool's processes of a worker."""
        try:
            return psutil.Process(self.child(role).pid).children()
        except psutil.NoSuchProcess:
            return []

    def works(self, role: str) -> bool:
        """Tell whether the worker of a role reads its queue: one that is still starting can't hear TERM."""
        log = self.child(role).log.read_bytes()
        return b" ready." in log[self._log_begins.get(role, 0) :]

    def kill(self, role: str) -> None:
        """SIGKILL a role's process and its group; the watchman starts it again."""
        with self._changing:
            self.child(role).kill()

    def term(self, role: str, grace: float) -> int | None:
        """Stop it as an operator would; return its exit code, negative where it had to be killed."""
        with self.left_alone(role):
            child = self.child(role)
            child.stop(grace)
            return child.exit_code

    @contextmanager
    def left_alone(self, *roles: str) -> Iterator[None]:
        """Have the watchman not start these again within the block."""
        with self._changing:
            self._left_alone.update(roles)
        try:
            yield
        finally:
            with self._changing:
                self._left_alone.difference_update(roles)

    @contextmanager
    def other_command(self, **commands: tuple[str, ...]) -> Iterator[None]:
        """Have other programs in these roles (with _ for -) within the block; both ways the one before is killed."""
        roles = {name.replace("_", "-"): command for name, command in commands.items()}
        for role, command in roles.items():
            self._replace(role, command)
        try:
            yield
        finally:
            for role in roles:
                self._replace(role, ROLES[role])

    @contextmanager
    def further(self, role: str, *command: str) -> Iterator[Child]:
        """Have one more process within the block, which nobody starts again."""
        with self._changing:
            self._left_alone.add(role)
            child = self.service.start(role, *command)
        try:
            yield child
        finally:
            child.kill()
            with self._changing:
                self.service.children.pop(role, None)

    def command(self, *words: str, timeout: float = 30) -> subprocess.CompletedProcess[str]:
        """Run one of the service's commands to its end."""
        line = [str(BIN / words[0]), *words[1:]]
        environment = self.service.environment()
        return subprocess.run(
            line, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=timeout, check=False
        )

    def counts(self) -> dict[str, int]:
        """Return how often each of the service's safeguards has fired."""
        return {str(name): int(count) for name, count in self.redis.hgetall("counts").items()}

    def signal(self, role: str, number: signal.Signals) -> None:
        """Send a signal to the process of a role and its group."""
        child = self.child(role)
        if number == signal.SIGSTOP:
            child.pause()
        elif number == signal.SIGCONT:
            child.resume()

    def _all_servers(self) -> tuple[Server, ...]:
        return self.servers.redis_server, self.servers.mongod, self.servers.kafka

    def _replace(self, role: str, command: tuple[str, ...]) -> None:
        with self._changing:
            child = self.child(role)
            child.kill()
            self._log_begins[role] = child.log.stat().st_size
            self.service.start(role, *command)

    def _watch(self) -> None:
        while not self._closing.wait(RESTART_SECONDS):
            with self._changing:
                for role, child in self.service.children.items():
                    if role not in self._left_alone and not child.running:
                        child.reap()
                        self._log_begins[role] = child.log.stat().st_size
                        child.launch()

    def _note_when_events_arrive(self) -> None:
        """Have Kafka stamp what the service sends with the time of its arrival: topics have no common offsets."""
        admin = AdminClient({"bootstrap.servers": self.servers.kafka.bootstrap})
        stamp = ConfigEntry("message.timestamp.type", "LogAppendTime", incremental_operation=AlterConfigOpType.SET)
        wanted = [ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[stamp]) for topic in OUTGOING]
        for future in admin.incremental_alter_configs(wanted).values():
            future.result()
