"""How a worker leaves: on TERM it takes nothing more, ends what it has in hand, and is gone within 10 s.

Celery knows a warm shutdown, which waits for ever for a task that waits for a dead server, and a cold one, which blocks
the loop that the ends of tasks come by. This is the warm one with a deadline. What was not started is put back at once;
what is cut off stays in hand and comes back by its visibility timeout.
"""

import gc
import os
import signal
import threading
from typing import Any

from celery import platforms
from celery.apps.worker import Worker as CeleryWorker
from celery.exceptions import WorkerTerminate
from celery.worker import state as _state

LEAVE_SECONDS = 7.0
"""Seconds after TERM in which tasks in hand may end."""

GIVE_UP_SECONDS = 2.0
"""Seconds after that in which the connections may be closed in order."""

LOOK_SECONDS = 0.1

GARBAGE = 50_000
"""Objects after which Python looks for cycles among the new ones: by its own 700 it looked several times a batch."""

state: Any = _state
"""Celery's flags and requests in hand; the stubs know only what the flags are at first."""


class Worker(CeleryWorker):
    """The worker of `celery -A tasks worker`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._leaving = False
        self._watched: Any = None
        self.consumer: Any = None
        gc.set_threshold(GARBAGE)
        super().__init__(*args, **options)

    def install_platform_tweaks(self, worker: Any) -> None:
        """Take TERM over from Celery."""
        super().install_platform_tweaks(worker)
        platforms.signals["SIGTERM"] = self._on_term

    def on_consumer_ready(self, consumer: Any) -> None:
        """Begin to look whether to leave: a signal's handler must not touch the loop's own state."""
        if consumer.hub is not None and self._watched is not consumer.hub:
            self._watched = consumer.hub
            consumer.hub.call_repeatedly(LOOK_SECONDS, self._look)
        super().on_consumer_ready(consumer)

    def _on_term(self, *_: Any) -> None:
        if self._leaving:
            return
        self._leaving = True
        signal.signal(signal.SIGALRM, self._on_deadline)
        signal.setitimer(signal.ITIMER_REAL, LEAVE_SECONDS)
        if not state.active_requests:
            state.should_stop = platforms.EX_OK

    def _look(self) -> None:
        """Take nothing more once a signal came, and stop when nothing is in hand."""
        if not self._leaving:
            return
        consumer = self.consumer
        self.semaphore.clear()  # whatever waits for room in the pool is not begun
        if consumer.task_consumer is not None:
            consumer.task_consumer.cancel()
        if not state.active_requests:
            state.should_stop = platforms.EX_OK

    def _on_deadline(self, *_: Any) -> None:
        """Cut off what has not ended, and go even where a server keeps a connection hanging."""
        last_resort = threading.Timer(GIVE_UP_SECONDS, os._exit, (platforms.EX_OK,))
        last_resort.daemon = True
        last_resort.start()
        # What they have in hand is noted in Redis; by TERM they would wait for the same server once more.
        pool: Any = self.pool
        for process in pool._pool._pool:
            os.kill(process.pid, signal.SIGKILL)
        state.should_terminate = platforms.EX_OK
        raise WorkerTerminate(platforms.EX_OK)
