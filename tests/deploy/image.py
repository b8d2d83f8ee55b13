"""What the Dockerfile makes, as far as it can be had without Docker: its files, its environment, its commands."""

import json
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

from local.ports import free_port
from local.processes import Child
from tests.processes import BIN, REPOSITORY

DOCKERFILE = REPOSITORY / "Dockerfile"


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions with their arguments, lines joined and comments gone."""
    lines = [line for line in DOCKERFILE.read_text().splitlines() if not line.startswith("#")]
    whole = "\n".join(lines).replace("\\\n", " ")
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in whole.splitlines() if line)]


def stages() -> list[list[tuple[str, str]]]:
    """Return the instructions of each stage, its FROM first."""
    found: list[list[tuple[str, str]]] = []
    for name, argument in instructions():
        if name == "FROM":
            found.append([])
        found[-1].append((name, argument))
    return found


def values(name: str) -> list[str]:
    """Return the arguments of one kind of instruction in the last stage."""
    return [argument for instruction, argument in stages()[-1] if instruction == name]


def environment() -> dict[str, str]:
    """Return what ENV sets."""
    pairs = [word.partition("=") for argument in values("ENV") for word in shlex.split(argument)]
    return {name: value for name, _, value in pairs}


def health_check() -> tuple[dict[str, str], list[str]]:
    """Return the options and the command of HEALTHCHECK."""
    (argument,) = values("HEALTHCHECK")
    options, _, command = argument.partition("CMD")
    named = [option.removeprefix("--").partition("=") for option in options.split()]
    return {name: value for name, _, value in named}, json.loads(command)


def copied() -> Iterator[tuple[str, str]]:
    """Yield what the first stage copies from the repository into /app, and under which name."""
    for name, argument in stages()[0]:
        *sources, target = argument.split()
        if name == "COPY" and not target.startswith("/"):
            yield from ((source, source if target == "./" else target) for source in sources)


def lay_out(folder: Path) -> Path:
    """Make /app as the image has it, in `folder`."""
    folder.mkdir()
    for source, target in copied():
        path = REPOSITORY / source
        if path.is_dir():
            shutil.copytree(path, folder / target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        else:
            shutil.copy(path, folder / target)
    return folder


class Container:
    """A process of the image without Docker: its files, its entry point and its environment, on loopback."""

    def __init__(self, app: Path, folder: Path, variables: Mapping[str, str]) -> None:
        """`folder` stands for /tmp; `variables` are what `docker run -e` would set."""
        self.folder = folder
        self.port = free_port()
        self._app = app
        folder.mkdir()
        self.environment = {
            **environment(),
            "PATH": f"{BIN}:/usr/bin:/bin",
            "HOST": "127.0.0.1",
            "HEARTBEAT_FILE": str(folder / Path(environment()["HEARTBEAT_FILE"]).name),
            "PORT": str(self.port),
            **variables,
        }
        self.process: Child | None = None

    def command(self, *arguments: str) -> list[str]:
        """Return what `docker run order-service` with these arguments runs."""
        (entry_point,) = values("ENTRYPOINT")
        (default,) = values("CMD")
        return [*json.loads(entry_point), *(arguments or json.loads(default))]

    def run(self, *arguments: str, before: tuple[str, ...] = ()) -> Child:
        """Start it; `before` goes in front of the command."""
        command = [*before, *self.command(*arguments)]
        log = self.folder / "log"
        name = arguments[0] if arguments else "all"
        self.process = Child(name, command, log=log, cwd=self._app, environment=self.environment)
        self.process.launch()
        return self.process

    def refuse(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run what is expected to end at once."""
        return self._call(self.command(*arguments))

    def health(self) -> "subprocess.CompletedProcess[str]":
        """Run the health check as Docker would."""
        return self._call(health_check()[1])

    def healthy(self) -> bool:
        """Tell whether the health check passes."""
        return self.health().returncode == 0

    def processes(self) -> list[psutil.Process]:
        """Return all that runs in it."""
        assert self.process is not None
        first = psutil.Process(self.process.pid)
        return [first, *first.children(recursive=True)]

    def log(self) -> str:
        """Return what `docker logs` would show."""
        return (self.folder / "log").read_text()

    def remove(self) -> None:
        """End all that still runs."""
        if self.process is None or not self.process.running:
            return
        left = self.processes()
        self.process.stop(grace=30)
        for process in left:
            if process.is_running():  # psutil knows another process that got the same number
                process.kill()

    def _call(self, command: list[str]) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [shutil.which(command[0], path=self.environment["PATH"]) or command[0], *command[1:]],
            cwd=self._app,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
