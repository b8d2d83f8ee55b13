"""Messages are taken by one script (take.lua), called by itself or sent along with a wait (poller.py)."""

import logging
from collections.abc import Sequence
from typing import Any

from kombu.utils.encoding import bytes_to_str

from tasks.transport.message import parsed
from tasks.transport.scripts import COUNTS, MOST_BYTES

_log = logging.getLogger(__name__)


class Taking:
    """How a channel takes messages, and reads what it took."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel

    def take(self, queue: str, at_most: int, no_ack: bool) -> tuple[int, list[Any]]:
        """Take messages, the oldest first; return how many the queue still holds, and those that can be read."""
        keys, words = self._call(queue, at_most, no_ack)
        return self.read(queue, self._channel.scripts.take(keys=keys, args=words, client=self._channel.commands))

    def command(self, queue: str, at_most: int) -> tuple[Any, ...]:
        """Return the command that takes messages that will be acknowledged; `read` reads its answer."""
        keys, words = self._call(queue, at_most, no_ack=False)
        return ("EVALSHA", self._channel.scripts.take.sha, len(keys), *keys, *words)

    def read(self, queue: str, answer: Sequence[Any]) -> tuple[int, list[Any]]:
        """Return how many messages the queue still holds, and those of the taken that can be read."""
        left, *taken = answer
        pairs = zip(taken[::2], taken[1::2], strict=True)
        return left, [message for tag, item in pairs if (message := self._read(queue, tag, item)) is not None]

    def _call(self, queue: str, at_most: int, no_ack: bool) -> tuple[list[str], list[Any]]:
        return [queue, *self._keys(queue)], [at_most, MOST_BYTES, "0" if no_ack else "1"]

    def _keys(self, queue: str) -> list[str]:
        own = self._channel
        return [own.unacked_key, own.unacked_index_key, f"{queue}.malformed", COUNTS]

    def _read(self, queue: str, tag: bytes, item: bytes) -> Any:
        """Return the message; one that Redis could read and Python can't is set aside."""
        own = self._channel
        try:
            message = own.Message(parsed(item), channel=own)
            if message.delivery_tag != bytes_to_str(tag) or not isinstance(message.delivery_info, dict):
                raise TypeError("its properties are not what they should be")  # noqa: TRY301
        except Exception as error:
            # Only what it is: the message may hold a customer's address.
            _log.error("a message in %s can't be read and was set aside: %s", queue, type(error).__name__)
            own.scripts.set_aside(keys=self._keys(queue), args=[tag, item], client=own.commands)
            return None
        return message
