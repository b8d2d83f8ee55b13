"""The task that learns from logins."""

import logging
import time
from typing import Any

from models.connections import redis_client
from models.customers import Customers, Login
from tasks import app
from tasks.commit import SERVER_TIMEOUT
from tasks.enqueue import enqueue, user_orders_job
from tasks.kept import KeptTask
from tasks.patience import persist

FRESH = 3600
"""A login older than this (s) is learnt from, but nobody waits for its `user_orders` any more."""

_log = logging.getLogger(__name__)


@app.task(bind=True, base=KeptTask, name="record_login", ignore_result=True)
def record_login(  # noqa: PLR0913
    self: KeptTask,
    *,
    user_id: str,
    email: str | None,
    preferences: dict[str, Any] | None,
    at: int,
    source: str,
    offset: int,
) -> None:
    """Keep the customer's e-mail and preferences, and have the customer's orders published."""
    login = Login(user_id, email, preferences, at, source, offset)
    client = redis_client(SERVER_TIMEOUT)
    persist(lambda: Customers(client).learn(login))
    if at >= (time.time() - FRESH) * 1000:
        # The id is derived, so that a second run of this task announces the same event.
        job = user_orders_job(user_id, "login", f"{self.request.id}:orders")
        persist(lambda: enqueue(client, [job]))
