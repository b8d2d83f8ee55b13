"""Where the processes of one container show that they work: one file each, touched while they do.

Every process of the service touches HEARTBEAT_FILE. Several in one container need a file each: HEARTBEAT_FILE with the
process's name behind it. A file that is there tells that its process should run. One with a URL in it is of a process
that is asked there instead.
"""

import os
from pathlib import Path

from settings import settings

FRESH_SECONDS = 30.0
"""A heartbeat older than this is that of a process that hangs; in health none is older than a few seconds."""


class NoHeartbeatError(Exception):
    """The heartbeats can't be written or found."""


def _base() -> Path:
    file = settings().heartbeat_file
    if file is None:
        raise NoHeartbeatError("HEARTBEAT_FILE is not set")
    return Path(file)


def expect(name: str, url: str | None) -> Path:
    """Note that this process is being started and has not shown itself yet; return its file."""
    base = _base()
    path = base.with_name(f"{base.name}.{name}")
    try:
        path.write_text(url or "")
        os.utime(path, (0, 0))
    except OSError as error:
        raise NoHeartbeatError(f"HEARTBEAT_FILE can't be written, {error.strerror}: {path}") from None
    return path


def expected() -> dict[str, Path]:
    """Return the files of the processes that this container was told to run, by their names."""
    base = _base()
    return {path.name.removeprefix(f"{base.name}."): path for path in sorted(base.parent.glob(f"{base.name}.*"))}
