"""The whole stack as one thing: start it until it is ready, look after it, stop it in order."""

import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from local import leftovers
from local.downloads import ensure
from local.errors import LocalError
from local.plan import Plan, named
from local.processes import Child, warden
from local.screen import Screen, Stopwatch
from local.servers import Server
from local.state import State
from local.supervisor import Supervisor
from settings import settings

READY_SECONDS = 90.0
HOPELESS = 3


class Stack:
    """Everything that one run starts. Made once in a process: it changes this process's environment."""

    def __init__(self, root: Path, screen: Screen) -> None:
        """Take the clone's lock and choose the ports; nothing is started yet."""
        self._screen = screen
        self.state = State(root / ".local")
        variables = named(root)
        settings()  # a wrong value ends the process here, with one line
        self._lock = self.state.lock()
        warden.keep_open.append(self._lock.fileno())
        if killed := leftovers.end(self.state.folder):
            screen.warn(f"killed {killed} processes that an earlier run had left")
        leftovers.mark(self.state.folder)
        self.state.fresh_logs()
        self.plan = Plan(self.state, variables)
        os.environ.update(self.plan.environment)
        settings.cache_clear()
        self._stages = self.plan.service(root)
        self._supervisor = Supervisor(screen.warn)

    @property
    def url(self) -> str:
        """Where the API is."""
        host = settings().host
        return f"http://{'127.0.0.1' if host in {'0.0.0.0', '::'} else host}:{settings().port}"

    def places(self) -> dict[str, str]:
        """Return what is where, for a person; not the address of a server that they named: it may hold a password."""
        ours = {server.name: f"127.0.0.1:{server.port}" for server in self.plan.servers}
        return {
            "API": self.url,
            "Flower": f"http://127.0.0.1:{self.plan.flower_port}",
            "Redis": ours.get("redis-server", "the one that you named"),
            "MongoDB": ours.get("mongod", "the one that you named"),
            "Kafka": ours.get("kafka", "the one that you named"),
            "Logs": str(self.state.logs),
        }

    def start(self) -> None:
        """Start all, and return when `/readyz` is green."""
        self._start_servers()
        watch = Stopwatch()
        with self._screen.waiting("Starting the service"):
            for child in self._children():
                child.launch()
                self._supervisor.watch(child)
            self._supervisor.start()
            self._wait_until_ready()
        self._screen.done("service", f"{self.url}/readyz", watch.seconds)

    def _start_servers(self) -> None:
        servers = self.plan.servers
        ensure([download for server in servers for download in server.downloads()], self._screen.console)
        watch = Stopwatch()
        with self._screen.waiting("Starting the servers"):
            for server in servers:
                server.launch()
            for server in servers:
                server.wait_until_ready()
                self._supervisor.watch(server)
                self._screen.done(server.name, f"127.0.0.1:{server.port}", watch.seconds)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while problem := _problem(f"{self.url}/readyz"):
            for process in self._supervisor.failing(HOPELESS):
                raise LocalError(f"{process.name} keeps ending; {process.log} ends with:\n{process.log_tail()}")
            if time.monotonic() > deadline:
                raise LocalError(
                    f"/readyz is not green after {READY_SECONDS:.0f} s: {problem}\nLogs: {self.state.logs}"
                )
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop the service's processes, what brings work in first, then the servers."""
        self._supervisor.leave()
        watch = Stopwatch()
        for stage in self._stages:
            self._stop(stage)
        self._stop(self.plan.servers)
        warden.close()
        if killed := leftovers.end(self.state.folder):
            self._screen.warn(f"killed {killed} processes that would not stop")
        self._screen.done("stopped", "no process is left", watch.seconds)

    def _stop(self, stage: Sequence[Child | Server]) -> None:
        running = [process for process in stage if process.running]
        if running:
            names = ", ".join(process.name for process in running)
            with self._screen.waiting(f"Stopping {names}"), ThreadPoolExecutor() as pool:
                list(pool.map(lambda process: process.stop(), running))

    def kill(self) -> None:
        """Kill all at once; a `stop` that is under way then ends soon."""
        for child in self._children():
            child.kill()
        for server in self.plan.servers:
            server.kill()

    def _children(self) -> Iterator[Child]:
        for stage in self._stages:
            yield from stage


def _problem(url: str) -> str | None:
    """Return why the service is not ready, None when it is."""
    try:
        with urllib.request.urlopen(url, timeout=5):
            return None
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.read().decode(errors='replace')}"
    except OSError as error:
        return str(error)
