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
from dataclasses import dataclass
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
    "fastapi": [
        "../../../.local/peers/fastapi/bin/uvicorn order_service.main:app"
        ' --port "$PORT" --workers "${WORKERS:-1}" --no-access-log',
    ],
    "go": ["../../../.local/peers/go/order-service"],
    "node": ["NODE_ENV=production node src/server.js"],
    "textbook": [
        "gunicorn 'textbook:create_app()'",
        "celery -A make_celery worker --loglevel WARNING",
        "python -m textbook.consumer",
    ],
}
START_SECONDS = 180.0


@dataclass(frozen=True)
class Toolchain:
    """What a peer needs that `make` does not install, and what is `made` with it of which `sources` in its folder."""

    name: str
    programs: Sequence[str]
    version: str
    oldest: tuple[int, int]
    install: str
    made: str
    sources: str


TOOLCHAINS = {
    "fastapi": Toolchain(
        "Python",
        programs=("python3",),
        version="python3 --version",
        oldest=(3, 11),
        install="python3 -m venv --clear ../../../.local/peers/fastapi"
        " && ../../../.local/peers/fastapi/bin/pip install --quiet --require-hashes -r requirements.txt"
        # What pip leaves when it is cut off is no installation.
        " && touch ../../../.local/peers/fastapi/installed",
        made="../../../.local/peers/fastapi/installed",
        sources="requirements.txt",
    ),
    "go": Toolchain(
        "Go",
        programs=("go",),
        version="go env GOVERSION",
        oldest=(1, 26),
        install="go build -trimpath -buildvcs=false -o ../../../.local/peers/go/order-service .",
        made="../../../.local/peers/go/order-service",
        sources="*",
    ),
    "node": Toolchain(
        "Node",
        programs=("node", "npm"),
        version="node --version",
        oldest=(20, 19),
        install="npm ci --ignore-scripts",
        made="node_modules/.package-lock.json",
        sources="package-lock.json",
    ),
}


def why_not_here(name: str) -> str | None:
    """Tell what this machine lacks to run the peer: toolchains are what `make` does not install."""
    if name not in TOOLCHAINS:
        return None
    toolchain = TOOLCHAINS[name]
    oldest = ".".join(map(str, toolchain.oldest))
    needed = f"THE {name.upper()} PEER WAS NOT RUN: it needs {toolchain.name} {oldest} or newer"
    missing = [program for program in toolchain.programs if shutil.which(program) is None]
    if missing:
        return f"{needed}; not on PATH: {', '.join(missing)}"
    version = subprocess.run(toolchain.version.split(), capture_output=True, text=True, check=True).stdout.strip()
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < toolchain.oldest:
        return f"{needed}; found {version}"
    return None


def install(name: str) -> None:
    """Install or build what the peer needs beyond `.venv`, unless it is there and newer than its sources."""
    if name not in TOOLCHAINS:
        return
    toolchain, folder = TOOLCHAINS[name], PEERS / name
    made = folder / toolchain.made
    newest = max(source.stat().st_mtime for source in folder.glob(toolchain.sources))
    if not made.exists() or made.stat().st_mtime < newest:
        print(f"The {name} peer: {toolchain.install}", file=sys.stderr)
        subprocess.run(
            ["/bin/sh", "-c", toolchain.install],
            cwd=folder,
            env={**os.environ, "PATH": _path()},
            stdout=sys.stderr,
            check=True,
        )


def _path() -> str:
    """Return a PATH on which Python is the one of `.venv`."""
    return f"{Path(sys.executable).parent}:{os.environ['PATH']}"


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
    environment = {**os.environ, **servers, "PATH": _path(), "PORT": str(port)}
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
