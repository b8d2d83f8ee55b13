"""Ends what an earlier run left behind where even its warden was killed: each of its processes carries a mark."""

import os
from pathlib import Path

import psutil

MARK = "ORDER_SERVICE_LOCAL_STACK"


def mark(folder: Path) -> None:
    """Let every process that this one starts from now on carry the folder as its mark."""
    os.environ[MARK] = str(folder)


def end(folder: Path) -> int:
    """Kill the processes that carry the folder's mark; return how many. To be called by the holder of its lock."""
    left = [process for process in psutil.process_iter() if _marked(process, folder)]
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=10)
    return len(left)


def _marked(process: psutil.Process, folder: Path) -> bool:
    try:
        # redis-server writes its title over its environment; it is known by the folder in which it works.
        is_redis = process.name() == "redis-server" and Path(process.cwd()).parent == folder
        return (is_redis or process.environ().get(MARK) == str(folder)) and process.pid != os.getpid()
    except psutil.Error:  # it is gone, or somebody else's
        return False
