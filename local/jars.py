"""Apache Kafka's jars: fetched from Maven by coordinate, each against a pinned sha256."""

import os
import ssl
from dataclasses import dataclass
from pathlib import Path

from local import cache
from local.errors import LocalError

PINS = Path(__file__).parent / "pins" / "kafka-jars.txt"
ATTEMPTS = 3


@dataclass(frozen=True)
class Jar:
    """One jar: `group:artifact:version`, its file name and its sha256."""

    coordinate: str
    name: str
    sha256: str

    @property
    def path(self) -> Path:
        """Where the jar is once it was fetched."""
        return cache.folder() / "kafka-jars" / self.name

    def present(self) -> bool:
        """Tell whether the jar is here, whole and unchanged."""
        return self.path.is_file() and cache.sha256(self.path) == self.sha256

    def fetch(self, staging: Path) -> None:
        """Download the jar; a truncated or wrong one is fetched again a few times, then reported."""
        from jgo.maven import MavenContext
        from requests import RequestException

        _trust_what_this_machine_trusts()
        group, artifact, version = self.coordinate.split(":")
        problem = "its sha256 is not the pinned one"
        for attempt in range(ATTEMPTS):
            # jgo trusts whatever lies in its own cache, a truncated file too: give it an empty one each time.
            maven = MavenContext(repo_cache=staging / f"{self.name}-{attempt}", timeout=30)
            try:
                path = maven.project(group, artifact).at_version(version).artifact().resolve()
            except (RequestException, RuntimeError) as error:
                problem = str(error)
                continue
            if cache.sha256(path) == self.sha256:
                self.path.parent.mkdir(exist_ok=True)
                path.replace(self.path)
                return
        raise LocalError(f"{self.coordinate} could not be downloaded: {problem}")


def _trust_what_this_machine_trusts() -> None:
    """Let requests use the system's certificates, as git does: those it brings along lack a company's own."""
    system = ssl.get_default_verify_paths().cafile
    if system and not {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"} & set(os.environ):
        os.environ["REQUESTS_CA_BUNDLE"] = system


def kafka_jars() -> list[Jar]:
    """Return the pinned jars, in the order of the class path."""
    lines = PINS.read_text().splitlines()
    return [Jar(*line.split()) for line in lines if not line.startswith("#")]
