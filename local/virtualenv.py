"""Makes `.venv` and installs the pinned requirements: run by the machine's own Python, so standard library only."""

import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".venv"
PYTHON = FOLDER / "bin" / "python"
REQUIREMENTS = ROOT / "requirements-dev.txt"
STAMP = FOLDER / "installed"
OLDEST = (3, 11)


def main() -> int:
    """Do what is missing; without anything missing no network is touched."""
    if sys.version_info < OLDEST:
        return refuse("Python 3.11 or newer is needed; name it with `make PYTHON=python3.12 ...`")
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()
    if PYTHON.exists() and STAMP.exists() and STAMP.read_text() == wanted:
        return 0
    if not (usable() or make()):
        return refuse("Python's venv module is missing or incomplete; on Debian and Ubuntu: apt install python3-venv")
    code = install()
    if code == 0:
        STAMP.write_text(wanted)
    return code


def refuse(why: str) -> int:
    """Say in one line why nothing was done."""
    print(why, file=sys.stderr)
    return 2


def usable() -> bool:
    """Tell whether there is a virtual environment of this Python, with pip in it."""
    ask = [str(PYTHON), "-c", "import sys, pip; print(sys.version)"]
    return PYTHON.exists() and subprocess.run(ask, capture_output=True, text=True, check=False).stdout.strip() == (
        sys.version.strip()
    )


def make() -> bool:
    """Make the virtual environment anew."""
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(FOLDER)], capture_output=True, check=False)
    return made.returncode == 0


def install() -> int:
    """Install the requirements with pip, one line of progress; return pip's exit code."""
    total = sum("==" in line for line in REQUIREMENTS.read_text().splitlines())
    pip = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-color", "--progress-bar=off"]
    done = 0
    with subprocess.Popen(
        [*pip, "--require-hashes", "-r", str(REQUIREMENTS)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Collecting "):
                done += 1
                show(f"Python packages {done}/{total}: {line.split()[1].partition('==')[0]}")
            elif line.startswith("Installing "):
                show(f"Python packages: installing {total}")
    show("")
    print("Python packages: installed" if process.returncode == 0 else "Python packages: failed")
    return process.returncode


def show(text: str) -> None:
    """Overwrite the line of progress, where there is a terminal."""
    if sys.stdout.isatty():
        print(f"\r{text:<72}\r", end="", flush=True)


if __name__ == "__main__":
    sys.exit(main())
