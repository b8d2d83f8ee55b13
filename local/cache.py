"""Where downloads are kept: one folder outside the clone, shared by all clones and processes of this user."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


def folder() -> Path:
    """Return the folder, made if need be: `$XDG_CACHE_HOME/order-service`, else `~/.cache/order-service`."""
    base = os.environ.get("XDG_CACHE_HOME")
    path = (Path(base) if base else Path.home() / ".cache") / "order-service"
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def exclusive() -> Iterator[None]:
    """Let one thread or process at a time change the folder; the lock goes with its holder, however that ends."""
    with (folder() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def staging() -> Iterator[Path]:
    """Yield a new folder on the cache's own disk, so that what is complete moves to its place in one rename.

    To be called by the holder of `exclusive()`: any other staging folder is what a killed process left.
    """
    for left in folder().glob("staging-*"):
        shutil.rmtree(left, ignore_errors=True)
    with TemporaryDirectory(prefix="staging-", dir=folder(), ignore_cleanup_errors=True) as path:
        yield Path(path)


def sha256(path: Path) -> str:
    """Return a file's sha256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
