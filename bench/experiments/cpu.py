"""CPU an order, beside the least that it can cost: validating in Flask, and a bare loop at the service's batch size."""

import json
import os
import statistics
import subprocess
import sys

from bench import usage
from bench.contestants import Contestant
from bench.experiments import throughput
from bench.http_load import closed_loop
from bench.order_requests import creates
from bench.peer_processes import SERVICE
from bench.session import Session
from bench.trial import Trial, trial

VALIDATING = Contestant(
    "Flask, validating only",
    SERVICE,
    commands=("gunicorn -k bench.bare.validating.Worker 'bench.bare.validating:create_app()'",),
)
BARE = Contestant("bare loop", SERVICE, commands=())
ORDERS_A_SECOND = 2000
"""About how many orders the bare loop carries out in a second, to have it run about as long as the others."""


def measure(contestant: Contestant, session: Session) -> dict[str, float]:
    """Measure the service, which comes first in the first run, or one of its two lower bounds."""
    if contestant == VALIDATING:
        return _validating(session)
    if contestant == BARE:
        return _bare(session)
    return throughput.measure(contestant, session)


def _validating(session: Session) -> dict[str, float]:
    with trial(VALIDATING, session) as run, run.running():
        _load(run, session.scale.warm)
        before = usage.cpu_seconds(run.pids())
        answered = _load(run, session.scale.seconds)
        used = usage.cpu_seconds(run.pids())
        assert run.redis.llen("orders") == 0, "it accepts orders, which is more than validating them"
        return {"CPU an order (µs)": 1e6 * (used.total() - before.total()) / answered}


def _load(run: Trial, seconds: float) -> int:
    run.tell("posting orders")
    load = closed_loop(run.port, creates(), run.session.scale.connections, seconds=seconds)
    assert all(answer.status == 202 for answer in load.answers)
    return len(load.answers)


def _bare(session: Session) -> dict[str, float]:
    batch = max(1, round(statistics.median(session.readings[SERVICE]["orders an insert"])))
    with trial(BARE, session) as run:
        run.tell(f"{batch} orders at once")
        count = int(session.scale.seconds * ORDERS_A_SECOND)
        command = [sys.executable, "-m", "bench.bare.loop", str(count), str(batch)]
        environment = {**os.environ, **run.servers.variables()}
        told = json.loads(subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout)
        run.accepted += told["ids"]
        run.check()
    return {"CPU an order (µs)": told["CPU an order (µs)"], "orders an insert": batch}
