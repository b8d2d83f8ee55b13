"""A container without Docker: the image's files, entry point and environment, as processes on loopback."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import psutil

from local.ports import free_port
from local.processes import Child
from tests.deploy import image
from tests.processes import eventually


class Container:
    """What `docker run` starts, and Docker's health checks of it."""

    def __init__(self, app: Path, packages: Path, folder: Path, variables: Mapping[str, str]) -> None:
        """`packages` is a virtual environment's `bin`, `folder` stands for /tmp, `variables` are set as by `-e`."""
        self.folder = folder
        self.port = free_port()
        self._app = app
        folder.mkdir()
        self.environment = {
            **image.environment(),
            "PATH": f"{packages}:/usr/bin:/bin",
            "HOST": "127.0.0.1",
            "HEARTBEAT_FILE": str(folder / Path(image.environment()["HEARTBEAT_FILE"]).name),
            "PORT": str(self.port),
            **variables,
        }
        self.process: Child | None = None

    def command(self, *arguments: str) -> list[str]:
        """Return what `docker run order-service` with these arguments runs."""
        (entry_point,) = image.values("ENTRYPOINT")
        (default,) = image.values("CMD")
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
        return self._call(image.health_check()[1])

    def healthy(self) -> bool:
        """Tell whether the health check passes."""
        return self.health().returncode == 0

    def wait_until_healthy(self) -> None:
        """Wait for the health check to pass; fail at once where the container ends instead."""

        def healthy() -> bool:
            assert self.process
            assert self.process.running, self.process.log_tail()
            return self.healthy()

        eventually(healthy, within=60, every=0.5)

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
