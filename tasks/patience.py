"""What waits for a dead server: an accepted write never fails because MongoDB, Redis or Kafka is away."""

import logging
import random
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

import redis
from pymongo.errors import AutoReconnect, BulkWriteError, ExecutionTimeout, PyMongoError, WriteConcernError

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
"""Seconds between two tries: doubled from the first to the longest, each between half and all of it."""

DUPLICATE_KEY = 11000

_TRANSIENT = {6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436}
"""What MongoDB's retryable writes specification calls a retryable error.

https://github.com/mongodb/specifications/blob/master/source/retryable-writes/retryable-writes.md
"""

T = TypeVar("T")
_log = logging.getLogger(__name__)


class TryLaterError(Exception):
    """What we need is not there yet, or a server did not take what we had for it."""


def is_outage(error: Exception) -> bool:
    """Tell whether a server was away, hung, full or being replaced, so that the same call may succeed later."""
    if isinstance(error, PyMongoError) and error.timeout:
        return True
    if isinstance(error, BulkWriteError):
        return _was_interrupted(error)
    return isinstance(
        error,
        (
            TryLaterError,
            AutoReconnect,
            ExecutionTimeout,
            WriteConcernError,
            redis.ConnectionError,
            redis.TimeoutError,
            redis.ReadOnlyError,
            redis.OutOfMemoryError,
        ),
    )


def _was_interrupted(error: BulkWriteError) -> bool:
    """Tell whether a bulk write failed only for what a new primary, or one that is ready again, will do."""
    details = cast("dict[str, list[dict[str, Any]]]", error.details)
    codes = {each["code"] for each in details["writeErrors"]} - {DUPLICATE_KEY}
    return codes <= _TRANSIENT if codes else bool(details["writeConcernErrors"])


def persist(work: Callable[[], T]) -> T:
    """Do `work`, again and again while a server is away. It must be safe to run twice.

    Celery's own retry would publish the task anew; where Redis is the server that is away, that loses it. The message
    stays unacknowledged instead: when this process is stopped or killed, another worker gets it.
    """
    pause = FIRST_PAUSE
    waiting_since = None
    while True:
        try:
            result = work()
        except Exception as error:
            if not is_outage(error):
                raise
            if waiting_since is None:
                waiting_since = time.monotonic()
                _log.warning("waiting for a server: %s", type(error).__name__)
            time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311
            pause = min(LONGEST_PAUSE, pause * 2)
            continue
        if waiting_since is not None:
            _log.warning("went on after %.1f s", time.monotonic() - waiting_since)
        return result
