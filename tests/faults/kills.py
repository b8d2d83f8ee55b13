"""Faults of the service's own processes: killed, frozen, stopped, at the worst moment where there is one."""

import json
import signal
import time
from contextlib import closing, suppress
from pathlib import Path

import psutil

import celeryconfig
from tests.faults.products import POISONED
from tests.faults.registry import Scene, fault
from tests.faults.shop import BRIDGES, ORDER_WORKERS, worker_command
from tests.processes import eventually

TERM_SECONDS = 15.0
"""How long a worker may take to end after a TERM: 10 s, and half as much again for a machine that is busy."""


def _busy_worker(scene: Scene) -> str:
    """Have MongoDB hold its answers for a moment, so that the worker has something in hand; return which one."""
    _hold_mongod(scene)
    return scene.rng.choice(sorted(ORDER_WORKERS))


def _hold_mongod(scene: Scene) -> None:
    scene.shop.servers.mongod.pause()
    time.sleep(0.4)


def _ready_worker(scene: Scene) -> str:
    role = scene.rng.choice(sorted(ORDER_WORKERS))
    eventually(lambda: scene.shop.works(role), within=30)
    return role


@fault(fires=("messages_restored",), on=("workers", "mongod"), often=True)
def worker_killed(scene: Scene) -> None:
    """kill -9 of a worker of orders, half the time with its hands full."""
    if scene.rng.random() < 0.5:
        scene.shop.kill(scene.rng.choice(sorted(ORDER_WORKERS)))
        return
    try:
        scene.shop.kill(_busy_worker(scene))
    finally:
        scene.shop.servers.mongod.resume()


@fault(fires=("messages_restored",), on=("workers",), often=True)
def worker_frozen_then_killed(scene: Scene) -> None:
    """SIGSTOP of both workers of orders, work for them, kill -9."""
    for role in ORDER_WORKERS:
        scene.shop.signal(role, signal.SIGSTOP)
    time.sleep(1)
    for role in ORDER_WORKERS:
        scene.shop.kill(role)


@fault(fires=("messages_restored",), on=("workers", "mongod"))
def worker_thawed(scene: Scene) -> None:
    """SIGSTOP of a worker with full hands for longer than the visibility timeout, then SIGCONT."""
    try:
        role = _busy_worker(scene)
        scene.shop.signal(role, signal.SIGSTOP)
    finally:
        scene.shop.servers.mongod.resume()
    time.sleep(float(scene.shop.service.environment()["VISIBILITY_TIMEOUT"]) + 2)
    scene.shop.signal(role, signal.SIGCONT)


@fault(fires=("messages_restored|writes_alone",), on=("workers", "mongod"), often=True)
def pool_child_killed(scene: Scene) -> None:
    """kill -9 of one process of a worker's pool, with work in its hands."""
    try:
        children = scene.shop.pool(_busy_worker(scene))
        assert children, "the worker has no pool (yet)"
        with suppress(psutil.NoSuchProcess):
            scene.rng.choice(children).kill()
    finally:
        scene.shop.servers.mongod.resume()


@fault(fires=("writes_alone", "writes_parked"), on=("workers",))
def poisonous_write(scene: Scene) -> None:
    """A write that kills whatever process carries it out, among good ones: parked, and the others end well."""
    _poison(scene, "POISON")


@fault(fires=("batches_halved", "writes_parked"), on=("workers",))
def write_that_breaks_its_batch(scene: Scene) -> None:
    """A write whose storing raises an error that nobody expects, in a batch of good ones: parked, and they end well."""
    _poison(scene, "BROKEN")


def _poison(scene: Scene, note: str) -> None:
    commands = {
        role.replace("-", "_"): ("python", "-m", "tests.faults.poisoned_worker", *worker_command("orders", role)[3:])
        for role in ORDER_WORKERS
    }
    with scene.shop.other_command(**commands), closing(scene.caller()) as caller:
        # Before the workers are up again there is a batch of others around it.
        write = scene.load.order(caller, POISONED, key=None, note=note, poison=True)
        assert write.tasks, "the poisonous write was not accepted"
        (task_id,) = write.tasks
        key = f"celery-task-meta-{task_id}"
        eventually(
            lambda: json.loads(scene.shop.redis.get(key) or "{}").get("status") in {"FAILURE", "SUCCESS"},
            within=scene.pace.parked_within,
            every=0.1,
        )


@fault(fires=("ended in time",), on=("workers",), often=True)
def worker_terminated(scene: Scene) -> None:
    """TERM of a worker of orders amid short tasks."""
    _terminate(scene, _ready_worker(scene))


@fault(fires=("ended in time",), on=("workers", "mongod"))
def worker_terminated_amid_long_tasks(scene: Scene) -> None:
    """TERM of a worker whose tasks hang on MongoDB: it gives them back."""
    role = _ready_worker(scene)
    try:
        _hold_mongod(scene)
        _terminate(scene, role)
    finally:
        scene.shop.servers.mongod.resume()


def _terminate(scene: Scene, role: str) -> None:
    begun = time.monotonic()
    code = scene.shop.term(role, grace=30)
    seconds = time.monotonic() - begun
    if code == 0 and seconds <= TERM_SECONDS:
        scene.signs["ended in time"] += 1
    else:
        scene.wrong.append(f"a worker ended {seconds:.0f} s after TERM with code {code}")


@fault(fires=("messages_restored",), on=("workers", "mongod"))
def lock_s_holder_killed(scene: Scene) -> None:
    """kill -9 of a worker with full hands; what stays is the lock of stock kombu's redelivery, as if it had held it."""
    options = celeryconfig.broker_transport_options
    seconds = int(str(options.get("unacked_mutex_expire", 300)))
    try:
        role = _busy_worker(scene)
        scene.shop.redis.set(str(options.get("unacked_mutex_key", "unacked_mutex")), "its holder is dead", ex=seconds)
        scene.shop.kill(role)
    finally:
        scene.shop.servers.mongod.resume()


def _doomed(scene: Scene, what: str, *command: str) -> tuple[Path, tuple[str, ...]]:
    order = scene.shop.folder / f"die-{what}"
    return order, ("python", "-m", "tests.faults.doomed", what, str(order), *command)


def _doomed_worker(scene: Scene, what: str) -> None:
    order, _ = _doomed(scene, what)
    commands = {
        role.replace("-", "_"): _doomed(scene, what, *worker_command("orders", role))[1] for role in ORDER_WORKERS
    }
    with scene.shop.other_command(**commands):
        order.touch()
        _obeyed(order)


@fault(fires=("killed after Kafka's reports", "events repeated", "writes_found_done"), on=("workers",), often=True)
def killed_between_report_and_end(scene: Scene) -> None:
    """kill -9 of a worker after Kafka's delivery reports, before they are noted and its writes are ended."""
    client = scene.shop.servers.redis_client()
    # Those of the kill before have ended: one that is hit twice while it runs alone is rightly parked.
    eventually(lambda: client.hlen("unacked") == client.llen("orders") == 0, within=30)
    _doomed_worker(scene, "report")
    scene.signs["killed after Kafka's reports"] += 1


@fault(fires=("killed before an outbox's removal", "events repeated"), on=("workers",), often=True)
def killed_between_end_and_removal(scene: Scene) -> None:
    """kill -9 of a worker whose writes have ended, before their events leave the outbox."""
    _doomed_worker(scene, "outbox")
    scene.signs["killed before an outbox's removal"] += 1


@fault(fires=("killed before offsets were stored", "levels_superseded"), on=("bridges",), often=True)
def bridge_killed_before_offsets(scene: Scene) -> None:
    """kill -9 of a bridge after it enqueued a batch, before it stores the offsets."""
    order, command = _doomed(scene, "offsets", "bridge")
    with scene.shop.other_command(**{role.replace("-", "_"): command for role in BRIDGES}):
        order.touch()
        _obeyed(order)
        scene.signs["killed before offsets were stored"] += 1


def _obeyed(order: Path) -> None:
    try:
        eventually(lambda: not order.exists(), within=25)
    finally:
        order.unlink(missing_ok=True)


@fault(fires=("bridges came and went",), on=("bridges",))
def bridges_come_and_go(scene: Scene) -> None:
    """A third bridge joins, one leaves by TERM and one by kill -9, under load."""
    with scene.shop.further("bridge-3", "python", "-m", "bridge"):
        log = scene.shop.service.logs / "bridge-3.log"
        begun = log.stat().st_size
        eventually(lambda: b"reads " in log.read_bytes()[begun:], within=30)
        scene.shop.term("bridge-1", grace=15)
        scene.shop.kill("bridge-2")
    scene.signs["bridges came and went"] += 1


@fault(fires=("keys repeated",), on=("api",), often=True)
def api_killed(scene: Scene) -> None:
    """kill -9 of the API amid requests."""
    scene.shop.kill("api")


@fault(fires=("beats killed",), on=("beat",))
def beat_killed(scene: Scene) -> None:
    """kill -9 of beat, and of the worker that sweeps."""
    scene.shop.kill("beat")
    scene.shop.kill("publish")
    scene.signs["beats killed"] += 1
