"""The image's health check: `python -m deploy.health` ends with 0 when all processes of the container work, else 1."""

import http.client
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from deploy.heartbeats import FRESH_SECONDS, NoHeartbeatError, expected

ANSWER_SECONDS = 5.0


def main() -> int:
    """Check what this container was told to run, and say how each fares."""
    try:
        processes = expected()
    except NoHeartbeatError as error:
        print(error)
        return 1
    if not processes:
        print("nothing was started here")
        return 1
    problems = {name: _problem(heartbeat) for name, heartbeat in processes.items()}
    for name, problem in problems.items():
        print(f"{name}: {problem or 'works'}")
    return 1 if any(problems.values()) else 0


def _problem(heartbeat: Path) -> str | None:
    url = heartbeat.read_text()
    return _no_answer(url) if url else _stale(heartbeat)


def _no_answer(url: str) -> str | None:
    asked = urlsplit(url)
    connection = http.client.HTTPConnection(asked.hostname or "", asked.port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", asked.path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"{asked.path} does not answer: {error}"
    finally:
        connection.close()
    return None if status == http.client.OK else f"{asked.path} answers {status}"


def _stale(heartbeat: Path) -> str | None:
    age = time.time() - heartbeat.stat().st_mtime
    return None if age <= FRESH_SECONDS else f"no heartbeat for more than {FRESH_SECONDS:g} s"


if __name__ == "__main__":
    sys.exit(main())
