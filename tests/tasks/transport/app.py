"""The service's own Celery application with two small tasks, for workers on either transport."""

import redis

import tasks.batches
from settings import settings
from tasks import app

# These workers take as much as Celery says, not the batches of orders.
vars(tasks.batches)["GROUPED_QUEUES"] = set()


def _store() -> "redis.Redis":
    return redis.Redis(port=settings().redis_port, decode_responses=True)


@app.task(name="note")
def note(name: str) -> None:
    """Say that this ran."""
    with _store() as store:
        store.rpush("noted", name)


@app.task(name="hold")
def hold(name: str) -> None:
    """Say that this began, and go on when told to; also when Redis was away meanwhile."""
    with _store() as store:
        store.rpush("began", name)
        while True:
            try:
                if store.get("go"):
                    break
                store.blpop(["never"], timeout=0.1)
            except redis.ConnectionError:
                continue
        store.rpush("noted", name)
