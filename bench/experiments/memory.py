"""A million orders through one service, then all of them in one list: what that does to memory, and to the pace."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection

from bench import usage
from bench.checks import WrongBooksError
from bench.contestants import Contestant
from bench.session import Session
from bench.trial import Trial, trial

AT_ONCE = 20_000
"""Orders that are posted before what was accepted is waited for: fewer than make the service refuse more."""

PARTS = ("api", "worker: orders", "bridge")
MB = 1e6
LOOK_SECONDS = 0.2


def measure(contestant: Contestant, session: Session) -> dict[str, float]:
    """Post orders until there are as many as asked for; then read them all."""
    figures: dict[str, float] = {}
    with trial(contestant, session) as run, run.running():
        run.warm(session.scale.connections)
        while len(run.accepted) < session.scale.many:
            before = len(run.accepted)
            load = run.post(session.scale.connections, count=min(AT_ONCE, session.scale.many - before))
            last = max(run.settle().values())
            figures[f"orders/s after {before}"] = (len(run.accepted) - before) / (last - load.began)
        used = usage.memory_bytes(run.pids())
        figures |= {f"{part} (MB)": used[part] / MB for part in PARTS}
        with _highest(run) as highest:
            shown = _read_all(run)
        run.check()
    if shown != len(run.accepted):
        raise WrongBooksError(f"GET /order/all shows {shown} of {len(run.accepted)} orders")
    added = max(0.0, max(highest) - used["api"]) / MB
    return {"largest (MB)": max(used[part] for part in PARTS) / MB, "GET /order/all (MB)": added, **figures}


@contextmanager
def _highest(run: Trial) -> Iterator[list[int]]:
    """Look at the API's memory again and again until the end of the block."""
    api = {"api": run.pids()["api"]}
    seen: list[int] = []
    done = threading.Event()

    def look() -> None:
        while not done.wait(LOOK_SECONDS):
            seen.append(usage.memory_bytes(api)["api"])

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield seen
    finally:
        done.set()
        looking.join()
        seen.append(usage.memory_bytes(api)["api"])


def _read_all(run: Trial) -> int:
    """Read all orders as one list; return how many there are."""
    run.tell("reading all orders as one list")
    connection = HTTPConnection("127.0.0.1", run.port, timeout=60)
    connection.request("GET", "/order/all")
    response = connection.getresponse()
    shown, rest, name = 0, b"", b'"orderId"'
    while part := response.read(1 << 20):
        text = rest + part
        shown += text.count(name)
        rest = text[-len(name) + 1 :]  # too short to be counted twice
    connection.close()
    return shown
