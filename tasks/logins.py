"""The task that learns from logins."""

import time
from collections.abc import Sequence
from typing import Any

from models.connections import redis_client
from models.customers import Customers, Login
from tasks import app
from tasks.enqueue import enqueue, user_orders_job
from tasks.kept import Kept, KeptTask, carry_out
from tasks.stores import SERVER_TIMEOUT

FRESH = 3600
"""A login older than this (s) is learnt from, but nobody waits for its `user_orders` any more."""


def record_logins(group: Sequence[Kept], redelivered: bool) -> tuple[list[str], float]:
    """Learn from the logins of a group; see `Together`."""
    return carry_out(_record, group, redelivered)


def _record(group: Sequence[Kept]) -> None:
    """Keep the customers' e-mails and preferences, and have their orders published."""
    client = redis_client(SERVER_TIMEOUT)
    Customers(client).learn([kept.told for kept in group])
    fresh = (time.time() - FRESH) * 1000
    # The ids are derived, so that a second run announces the same events.
    jobs = [
        user_orders_job(kept.told.user_id, "login", f"{kept.task_id}:orders") for kept in group if kept.told.at >= fresh
    ]
    if jobs:
        enqueue(client, jobs)


class LoginTask(KeptTask):
    """A task that tells one login."""

    tells = Login
    together = staticmethod(record_logins)


@app.task(bind=True, base=LoginTask, name="record_login", ignore_result=True)
def record_login(self: LoginTask, /, **told: Any) -> None:
    """Learn from one login (the fields of `Login`)."""
    _record([Kept(str(self.request.id), Login(**told), "")])
