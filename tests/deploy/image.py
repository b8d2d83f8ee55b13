"""What the Dockerfile says, and what it puts into the image: our files, and the packages of requirements.txt."""

import json
import re
import shlex
import shutil
import venv
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

from tests.processes import REPOSITORY

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


def install(folder: Path) -> Path:
    """Make a virtual environment with what requirements.txt names and nothing else; return its `bin`.

    The packages are links to those of the tests' environment, which has more.
    """
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python3*/site-packages")
    required = {
        _canonical(name) for name in re.findall(r"(?m)^([\w.-]+)==", (REPOSITORY / "requirements.txt").read_text())
    }
    for distribution in distributions():
        if _canonical(distribution.metadata["Name"]) in required:
            installed = {file.parts[0] for file in distribution.files or [] if file.parts[0] != ".."}
            for name in installed - {"__pycache__"}:
                (site / name).symlink_to(Path(str(distribution.locate_file(name))))
    return folder / "bin"


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
