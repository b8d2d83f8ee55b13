"""A Java that runs Apache Kafka: the machine's own where it is new enough, else the one of a wheel."""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from local.wheels import JAVA

OLDEST = 17


@cache
def java_of_path() -> Path | None:
    """Return the `java` on PATH if it says that it is 17 or newer."""
    program = shutil.which("java")
    if program is None:
        return None
    said = subprocess.run([program, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    return Path(program) if version and int(version[1]) >= OLDEST else None


def java() -> Path:
    """Return the program to run; the wheel's must have been fetched."""
    return java_of_path() or JAVA.unpacked / "bin" / "java"
