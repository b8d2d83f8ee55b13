"""The two halves by themselves: what one API process accepts, and how fast one worker process drains a full queue.

One worker process is a Celery worker with a pool of one.
"""

from bench.contestants import API, WORKER, Contestant
from bench.peer_processes import COMMANDS
from bench.session import Session
from bench.trial import trial

BEGINNING = 0.1
"""The share of the orders after which the worker has warmed up, and the clock starts."""

MOST = 80_000
"""Orders that are accepted at the most; the service refuses more where 100,000 wait."""


def measure(contestant: Contestant, session: Session) -> dict[str, float]:
    """Accept for a while without any worker; then stop the API and drain what was accepted."""
    commands = COMMANDS[contestant.peer]
    with trial(contestant, session) as run:
        with run.running([commands[API]]):
            run.tell("warming up")
            run.post(session.scale.connections, session.scale.warm / 2)
            run.tell("accepting")
            load = run.post(session.scale.connections, session.scale.seconds, MOST)
        with run.running([f"{commands[WORKER]} --concurrency 1"], api=False):
            arrived = sorted(run.settle().values())
            run.check()
    first = int(len(arrived) * BEGINNING)
    return {
        "accepted/s": load.per_second,
        "drained/s": (len(arrived) - first) / (arrived[-1] - arrived[first]),
    }
