"""Where the processes of one container show that they work: one file each, touched while they do.

Every process of the service touches HEARTBEAT_FILE. Several in one container need a file each: HEARTBEAT_FILE with the
process's name behind it. A file that is there tells that its process is expected to run.
"""

import os
from pathlib import Path

from settings import settings

FRESH_SECONDS = 30.0
"""A heartbeat older than this is that of a process that hangs; in health none is older than a few seconds."""


class NoHeartbeatError(Exception):
    """The heartbeats can't be written or found."""


def _base() -> Path:
    base = settings().heartbeat_file
    if base is None:
        raise NoHeartbeatError("HEARTBEAT_FILE is not set")
    return Path(base)


def heartbeat_of(name: str) -> Path:
    """Return the file that the process of this name touches."""
    base = _base()
    return base.with_name(f"{base.name}.{name}")


def expect(name: str) -> Path:
    """Note that this process is being started and has not shown itself yet; return its file."""
    path = heartbeat_of(name)
    try:
        path.touch()
        os.utime(path, (0, 0))
    except OSError as error:
        raise NoHeartbeatError(f"HEARTBEAT_FILE can't be written, {error.strerror}: {path}") from None
    return path


def expected() -> dict[str, Path]:
    """Return the files of the processes that this container was told to run, by their names."""
    base = _base()
    return {path.name.removeprefix(f"{base.name}."): path for path in sorted(base.parent.glob(f"{base.name}.*"))}
