"""The machine in general words: what figures depend on, and nothing that names it."""

import os
import platform
import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

import psutil

from local.jars import kafka_jars
from local.servers.redis_server import redis_program

ROOT = Path(__file__).parents[1]


def machine() -> dict[str, str]:
    """Return cores, memory and versions."""
    return {
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "Celery": version("celery"),
        "Redis": _redis(),
        "Kafka": _kafka(),
        **{name: found for name, command in _PROGRAMS.items() if (found := _said(command))},
    }


def commit() -> str:
    """Return the commit that is measured, marked where files differ from it."""
    said = _said(["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=10"])
    return said or "unknown"


_PROGRAMS = {"Node": ["node", "--version"], "Go": ["go", "env", "GOVERSION"]}


def _redis() -> str:
    """Return version and allocator, which is a tenth of its processor time here or there."""
    return " with ".join(re.findall(r"(?:v|malloc)=(\S+)", _said([redis_program(), "--version"])))


def _kafka() -> str:
    if os.environ.get("KAFKA_HOME"):
        return Path(os.environ["KAFKA_HOME"]).name
    (jar,) = [jar.path.stem for jar in kafka_jars() if jar.path.stem.startswith("kafka_2")]
    return jar.rpartition("-")[2]


def _said(command: list[str]) -> str:
    if shutil.which(command[0]) is None:
        return ""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
