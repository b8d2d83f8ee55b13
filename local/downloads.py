"""Brings what is missing into the cache, once, with progress shown, however many processes ask at the same time."""

import os
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from local import cache

PARALLEL = 8


class Download(Protocol):
    """Something that is in the cache, whole, or can be fetched."""

    def present(self) -> bool:
        """Tell whether it is there and what it should be."""
        ...

    def fetch(self, staging: Path) -> None:
        """Fetch it by way of a staging folder of its own; it appears in its place whole or not at all."""
        ...


def ensure(downloads: Sequence[Download], console: Console | None = None) -> None:
    """Fetch those that are missing, truncated or changed. Without any, no network is touched."""
    if not _missing(downloads):
        return
    with cache.exclusive():
        missing = _missing(downloads)  # another process may have fetched them while this one waited
        if missing:
            _fetch(missing, console or Console(stderr=True))


def _missing(downloads: Sequence[Download]) -> list[Download]:
    with ThreadPoolExecutor(PARALLEL) as pool:
        present = list(pool.map(lambda download: download.present(), downloads))
    return [download for download, here in zip(downloads, present, strict=True) if not here]


def _fetch(missing: Sequence[Download], console: Console) -> None:
    with cache.staging() as staging:
        pool = ThreadPoolExecutor(PARALLEL)
        try:
            running = []
            for number, download in enumerate(missing):
                own = staging / str(number)
                own.mkdir()
                running.append(pool.submit(download.fetch, own))
            _show(running, staging, console)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # an interrupted start does not wait for the rest


def _show(running: Sequence[Future[None]], staging: Path, console: Console) -> None:
    columns = (TextColumn("Downloading the servers"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[speed]}"), console=console) as progress:
        task = progress.add_task("", total=len(running), speed="")
        meter = _Meter(staging)
        waiting = set(running)
        while waiting:
            done, waiting = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()
            progress.update(task, advance=len(done), speed=meter.speed())


class _Meter:
    """Bytes per second, from the growth of the staging folder; what moved out of it does not count against it."""

    def __init__(self, staging: Path) -> None:
        self._staging = staging
        self._since = time.monotonic()
        self._size = 0
        self._received = 0

    def speed(self) -> str:
        # Files and whole folders move away meanwhile; os.walk passes over a folder that is gone.
        size = sum(_size(Path(folder, name)) for folder, _, names in os.walk(self._staging) for name in names)
        self._received += max(0, size - self._size)
        self._size = size
        return f"{self._received / 1e6 / (time.monotonic() - self._since):.1f} MB/s"


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:  # it was complete, and moved to its place
        return 0
