"""How full Redis is: looked at beside the requests, once a second, for no script of Redis 6.2 can see it cheaply."""

import logging
import os
import threading
import time
from functools import cache

import redis

from models.connections import redis_client

HIGH_MARK = 0.8
"""Share of Redis' `maxmemory` from which no new work is taken, so that workers can finish what was accepted."""

INTERVAL = 1.0
"""Seconds between two looks, and the longest that one may take."""

_starting = threading.Lock()
_log = logging.getLogger(__name__)


class MemoryWatch:
    """Looks at Redis' memory as long as this process lives, from the first time on that somebody asks."""

    def __init__(self) -> None:
        self._full = False
        threading.Thread(target=self._watch, name="memory-watch", daemon=True).start()

    @property
    def full(self) -> bool:
        """Tell whether it was above the mark when it was last seen; not before it was seen once."""
        return self._full

    def _watch(self) -> None:
        while True:
            try:
                self._look()
            except redis.RedisError as error:
                _log.debug("Redis' memory was not seen: %s", type(error).__name__)
            time.sleep(INTERVAL)

    def _look(self) -> None:
        memory = redis_client(INTERVAL).info("memory")
        most = memory["maxmemory"]  # 0: no limit
        full = bool(most) and memory["used_memory"] >= HIGH_MARK * most
        if full != self._full:
            _log.warning("new writes are %s: Redis' memory", "refused" if full else "accepted again")
        self._full = full


@cache
def _watch(_pid: int) -> MemoryWatch:
    return MemoryWatch()


def is_full() -> bool:
    """Tell whether new work must be refused; never waits for Redis."""
    with _starting:
        return _watch(os.getpid()).full
