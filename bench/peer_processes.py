"""Starts the service and the frozen peers as their READMEs say; the tests and the measurements share it."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from local.processes import Child

PEERS = Path(__file__).parent / "peers"
SERVICE = "service"
COMMANDS = {
    SERVICE: [
        "gunicorn 'api:create_app()'",
        *(f"celery -A tasks worker -Q {queue} -n {queue}@%h" for queue in ("orders", "stock", "logins", "publish")),
        "celery -A tasks beat",
        "python -m bridge",
    ],
    "node": ["NODE_ENV=production node src/server.js"],
    "textbook": [
        "gunicorn 'textbook:create_app()'",
        "celery -A make_celery worker --loglevel WARNING",
        "python -m textbook.consumer",
    ],
}
INSTALL_NODE_PEER = "npm ci --ignore-scripts"
OLDEST_NODE = (20, 19)
START_SECONDS = 180.0


def why_not_here(name: str) -> str | None:
    """Tell what this machine lacks to run the peer: Node and npm are the one thing that `make` does not install."""
    if name != "node":
        return None
    needed = f"THE NODE PEER WAS NOT RUN: it needs npm and Node {'.'.join(map(str, OLDEST_NODE))} or newer"
    missing = [program for program in ("node", "npm") if shutil.which(program) is None]
    if missing:
        return f"{needed}; not on PATH: {', '.join(missing)}"
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < OLDEST_NODE:
        return f"{needed}; found {version}"
    return None


def install(name: str) -> None:
    """Install what the peer needs beyond `.venv`, unless it is there."""
    if name != "node":
        return
    folder = PEERS / name
    locked, installed = folder / "package-lock.json", folder / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < locked.stat().st_mtime:
        subprocess.run(INSTALL_NODE_PEER.split(), cwd=folder, stdout=sys.stderr, check=True)


@contextmanager
def running(
    name: str,
    port: int,
    servers: Mapping[str, str],
    logs: Path,
    commands: Sequence[str] | None = None,
    *,
    api: bool = True,
) -> Iterator[list[Child]]:
    """Run the peer on `port` until the end of the block; `servers` are the other four of its five variables.

    `commands` are those of its processes that are to run (all of them); `api` says whether one of them answers HTTP.
    """
    install(name)
    commands = COMMANDS[name] if commands is None else commands
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, **servers, "PATH": path, "PORT": str(port)}
    folder = PEERS.parent.parent if name == SERVICE else PEERS / name
    children: list[Child] = []
    with _stopped_together(children):
        for number, command in enumerate(commands):
            shell = ["/bin/sh", "-c", f"exec env {command}"]
            child = Child(command, shell, log=logs / f"{name}-{number}.log", cwd=folder, environment=environment)
            child.launch()
            children.append(child)
        if api:
            _wait_until_ready(name, port, logs)
        yield children


@contextmanager
def _stopped_together(children: list[Child]) -> Iterator[None]:
    try:
        yield
    finally:
        with ThreadPoolExecutor() as pool:
            list(pool.map(Child.stop, children))


def _wait_until_ready(name: str, port: int, logs: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _is_ready(port):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the {name} peer was not ready within {START_SECONDS:.0f} s; its logs are in {logs}")
        time.sleep(0.05)


def _is_ready(port: int) -> bool:
    with suppress(OSError, HTTPException), closing(HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    return False
