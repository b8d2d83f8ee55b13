"""What a channel has in hand: taken (and noted in Redis by the same script), neither acknowledged nor put back."""

import logging
import time
from collections.abc import Iterable, Mapping
from typing import Any

from tasks.transport.mended import kombu_redis
from tasks.transport.scripts import COUNTS, MOST_BYTES, MOST_MESSAGES

MOST_RESTORED = 100
"""Overdue messages put back by one script; what is left follows a moment later."""

_log = logging.getLogger(__name__)


class InHand(kombu_redis.QoS):  # type: ignore[misc]
    """Acknowledges, puts back and renews. `_delivered` (kombu's name) is what is in hand, by tag, the oldest first."""

    def append(self, message: Any, delivery_tag: str) -> None:
        """Hold a message whose lease has begun."""
        message.taken_at = time.monotonic()
        self._delivered[delivery_tag] = message

    def forget(self, tag: str) -> None:
        """Hold it no longer; its lease is renewed no more."""
        self._delivered.pop(tag, None)
        self.channel.never_started.discard(tag)

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge. Where Redis is away this raises, and the message comes back by its visibility timeout."""
        self.forget(delivery_tag)
        self._remove_from_indices(delivery_tag).execute()

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Put the message back, flagged as redelivered, or delete it."""
        if requeue:
            self.put_back({delivery_tag: True})
        else:
            self.ack(delivery_tag)

    def put_back(self, redelivered: Mapping[str, bool]) -> None:
        """Put these back, in the order in which they were taken, each under a new tag and flagged or not."""
        place = {tag: number for number, tag in enumerate(self._delivered)}
        newest_first = sorted(redelivered, key=lambda tag: place.get(tag, -1), reverse=True)
        flags = [(tag, "1" if redelivered[tag] else "0") for tag in newest_first]
        for tag in newest_first:
            self.forget(tag)
        for some in _portions(flags):
            words = [word for pair in some for word in pair]
            self.channel.scripts.requeue(keys=self._keys(), args=words, client=self.channel.commands)

    def restore_unacked(self) -> None:
        """Put back all there is; what nobody has begun to work on is not flagged."""
        self.put_back({tag: tag not in self.channel.never_started for tag in list(self._delivered)})

    def restore_unacked_once(self, stderr: Any = None) -> None:  # noqa: ARG002
        """Put back all there is, at the end of a channel whose connection lives."""
        self._on_collect.cancel()
        if not self._delivered:
            return
        _log.info("putting back %d messages", len(self._delivered))
        try:
            self.restore_unacked()
        except self.channel.redis_errors as error:
            _log.warning("not put back (%s): they come back by their visibility timeout", type(error).__name__)

    def abandon(self) -> None:
        """Leave what is in hand to its visibility timeout: the connection is lost, others may have it by now."""
        self._on_collect.cancel()
        self._delivered.clear()
        self.channel.never_started.clear()

    def renew_leases(self) -> None:
        """Say that what is in hand still is, unless it has been for too long to be believed."""
        begun_after = time.monotonic() - self.channel.max_lease_age
        young = [tag for tag, message in list(self._delivered.items()) if message.taken_at > begun_after]
        for some in _portions(young):
            keys = [self.unacked_index_key, COUNTS]
            self.channel.scripts.renew(keys=keys, args=some, client=self.channel.commands)

    def restore_overdue(self) -> int:
        """Put back some of what others took and let go; return how many are overdue still."""
        words = [self.visibility_timeout, MOST_RESTORED, MOST_BYTES]
        left: int = self.channel.scripts.restore(keys=self._keys(), args=words, client=self.channel.commands)
        return left

    def _keys(self) -> list[str]:
        return [self.unacked_key, self.unacked_index_key, f"{self.unacked_key}.malformed", COUNTS]


def _portions(things: list[Any]) -> Iterable[list[Any]]:
    return (things[start : start + MOST_MESSAGES] for start in range(0, len(things), MOST_MESSAGES))
