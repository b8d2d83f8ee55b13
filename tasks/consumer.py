"""A worker's consumer that deletes no message: what no task can be run for is set aside for an operator.

Celery's own logs such a message, with what a customer wrote in it, and rejects it, which on Redis deletes it; some end
the worker, and the next one that takes them.

It also lets the events for Flower wait a moment: Celery's sends what one turn of its loop brought at the turn's end,
and waits for Redis' answer three times for each task.
"""

import logging
from collections.abc import Callable
from typing import Any

import redis
from celery.worker import consumer

from models.connections import redis_client
from tasks.set_aside import set_aside

SERVER_TIMEOUT = 5.0
"""Seconds to wait for Redis; the worker's main loop stands still meanwhile."""

EVENTS_WAIT = 0.1
"""Seconds for which events gather before they are sent together; a worker that ends takes longer to stop its pool."""

MAX_NAME = 100
"""Characters of a task's name that are shown."""

_log = logging.getLogger(__name__)


class Consumer(consumer.Consumer):
    """Celery's consumer, with its four ways to give a message up replaced, and a fifth that it does not have."""

    connection_errors: tuple[type[Exception], ...]
    hub: Any
    _flush_events: Callable[[], None]
    _events_gather = False

    def on_send_event_buffered(self) -> None:  # type: ignore[override]  # what the stubs have is an attribute
        """Have the events sent soon."""
        if not self._events_gather:
            self._events_gather = True
            self.hub.call_later(EVENTS_WAIT, self._send_events)

    def _send_events(self) -> None:
        self._events_gather = False
        self._flush_events()

    def on_unknown_message(self, body: Any, message: Any) -> None:  # noqa: ARG002
        """Set aside what names no task."""
        self._set_aside(message, "it names no task")

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:  # noqa: ARG002
        """Set aside what is for another version of the service: a later one, say."""
        name = str(message.headers.get("task"))[:MAX_NAME]
        self._set_aside(message, f"no worker here knows the task {name!r}")

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:  # noqa: ARG002
        """Set aside what its task can't be called with."""
        self._set_aside(message, f"its task can't be called with it ({type(exc).__name__})")

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """Set aside what has no readable body."""
        self._set_aside(message, f"its body can't be read ({type(exc).__name__})")

    def create_task_handler(self, *arguments: Any, **options: Any) -> Callable[[Any], Any]:
        """Return what takes a message; one that it can't deal with must not end the worker."""
        handle = super().create_task_handler(*arguments, **options)

        def on_task_received(message: Any) -> Any:
            try:
                return handle(message)
            except (OSError, redis.RedisError):
                raise
            except Exception as error:
                # A KeyError would be taken for a lost connection (it is one of kombu's), again and again.
                return self.on_invalid_task(None, message, error)

        return on_task_received

    def _set_aside(self, message: Any, reason: str) -> None:
        _log.error("a message is set aside for an operator: %s", reason)
        # Where Redis is away this raises: the worker connects anew, and the message comes back by its timeout.
        set_aside(redis_client(SERVER_TIMEOUT), message.delivery_tag, reason)
        message.ack_log_error(_log, self.connection_errors)
