"""The image's health check: `python -m deploy.health` ends with 0 when every process of this container works, else 1.

It is about the processes, not the servers: the API is asked for `/livez`, not `/readyz`. A container that is replaced
because Redis is away does not bring Redis back, and the API's reads do without it.
"""

import http.client
import sys
import time
from pathlib import Path

from deploy.heartbeats import FRESH_SECONDS, NoHeartbeatError, expected
from deploy.processes import FLOWER_PORT
from settings import settings

ANSWER_SECONDS = 5.0


def main() -> int:
    """Check what this container was told to run; name on standard output what does not work."""
    try:
        processes = expected()
    except NoHeartbeatError as error:
        print(error)
        return 1
    if not processes:
        print("nothing was started here")
        return 1
    problems = {name: _problem(name, path) for name, path in processes.items()}
    for name, problem in problems.items():
        print(f"{name}: {problem or 'works'}")
    return 1 if any(problems.values()) else 0


def _problem(name: str, heartbeat: Path) -> str | None:
    if name == "api":
        return _no_answer(settings().port, "/livez")
    if name == "flower":
        return _no_answer(FLOWER_PORT, "/healthcheck")
    return _stale(heartbeat)


def _no_answer(port: int, path: str) -> str | None:
    # Linux takes 0.0.0.0 and :: as this host.
    connection = http.client.HTTPConnection(settings().host, port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"{path} does not answer: {error}"
    finally:
        connection.close()
    return None if status == http.client.OK else f"{path} answers {status}"


def _stale(heartbeat: Path) -> str | None:
    age = time.time() - heartbeat.stat().st_mtime
    return None if age <= FRESH_SECONDS else f"no heartbeat for {FRESH_SECONDS:g} s"


if __name__ == "__main__":
    sys.exit(main())
