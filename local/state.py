"""The folder `.local`: the servers' data, remembered ports, logs, and the lock that lets one stack run at a time."""

import fcntl
import json
import os
import shutil
import time
from pathlib import Path
from typing import TextIO

from local.errors import RefusedError
from local.ports import free_port

ENDING_SECONDS = 30.0


class State:
    """What one clone's stack keeps between its runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self._ports = folder / "ports.json"

    def lock(self) -> TextIO:
        """Take the folder for this process; return the open file that holds it.

        The warden of a killed run holds it too, until it has ended what that run left: this is waited for.
        """
        self.folder.mkdir(exist_ok=True)
        lock = (self.folder / "lock").open("a+")
        deadline = time.monotonic() + ENDING_SECONDS
        while not _locked(lock):
            lock.seek(0)
            holder = lock.read()
            if _alive(holder) or time.monotonic() > deadline:
                lock.close()
                raise RefusedError(f"a stack already runs in this clone (process {holder or 'unknown'}); stop it first")
            time.sleep(0.1)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        return lock

    def fresh_logs(self) -> None:
        """Begin this run's logs; the last run's are gone."""
        shutil.rmtree(self.logs, ignore_errors=True)
        self.logs.mkdir()

    def port(self, name: str, usual: int | None = None) -> int:
        """Return a free port: the usual one, else the last run's, else any; remembered for the next run."""
        known: dict[str, int] = json.loads(self._ports.read_text()) if self._ports.exists() else {}
        known[name] = free_port(usual, known.get(name))
        fresh = self._ports.with_suffix(".new")
        fresh.write_text(json.dumps(known, indent=2))
        fresh.replace(self._ports)
        return known[name]

    def remove(self) -> None:
        """Delete the folder and all that is in it; refused while a stack runs."""
        if self.folder.exists():
            with self.lock():
                shutil.rmtree(self.folder)


def _locked(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _alive(pid: str) -> bool:
    return pid.isdigit() and Path(f"/proc/{pid}").exists()
