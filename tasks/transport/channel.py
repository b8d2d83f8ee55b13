"""Our transport: a message leaves its queue in the same step in which it is noted as in somebody's hands."""

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import redis
from kombu.utils.encoding import bytes_to_str

from tasks.transport.in_hand import InHand
from tasks.transport.mended import MendedChannel, MendedTransport
from tasks.transport.message import parsed
from tasks.transport.poller import Poller, Wait
from tasks.transport.scripts import COUNTS, MOST_BYTES, MOST_MESSAGES, Scripts

REST = 1.0
"""Seconds for which nothing is taken when Redis has no memory left for it."""

_log = logging.getLogger(__name__)


class Channel(MendedChannel):
    """A channel that waits for messages without taking them, and takes them in one script."""

    QoS = InHand
    priority_steps = [0]  # noqa: RUF012

    max_lease_age: float = 3600.0
    """Seconds for which the lease of a message is renewed; a task that hangs for longer is given to another worker."""

    from_transport_options = (*MendedChannel.from_transport_options, "max_lease_age")

    def __init__(self, *args: Any, **options: Any) -> None:
        self._waits: dict[str, Wait] = {}
        self._consumers_of: dict[str, tuple[Any, bool]] = {}
        self._commands: redis.Redis | None = None
        self._rests_until = 0.0
        super().__init__(*args, **options)
        self.redis_errors = (*self.connection_errors, self.ResponseError)

    @property
    def commands(self) -> "redis.Redis":
        """The client for commands: one for all (kombu makes one for each), and another after a fork."""
        if self._commands is None or self._commands.connection_pool is not self.pool:
            self._commands = self._create_client()
        return self._commands

    @contextmanager
    def conn_or_acquire(self, client: Any = None) -> Iterator[Any]:
        """Give that client."""
        yield client or self.commands

    @cached_property
    def scripts(self) -> Scripts:
        """The scripts; each call names the client."""
        return Scripts(self.commands)

    # Consuming

    def basic_consume(self, queue: str, no_ack: bool, callback: Any, consumer_tag: str, **options: Any) -> Any:
        """Consume a queue; with `no_ack` nothing of it is ever noted as in hand."""
        self._consumers_of[queue] = (callback, no_ack)
        return super().basic_consume(queue, no_ack, callback, consumer_tag, **options)

    def _basic_cancel(self, consumer_tag: str) -> None:
        super()._basic_cancel(consumer_tag)
        for queue in self._consumers_of.keys() - self._active_queues:
            del self._consumers_of[queue]
            wait = self._waits.pop(queue, None)
            if wait is not None:
                wait.connection.disconnect()
                self.async_pool.release(wait.connection)

    def acknowledges(self) -> bool:
        """Tell whether a consumer of this channel acknowledges what it gets."""
        return any(not no_ack for _, no_ack in self._consumers_of.values())

    def waiting(self) -> list[Wait]:
        """Return the waiting connections there are."""
        return list(self._waits.values())

    def waits(self) -> list[Wait]:
        """Return the waiting connections, one for each queue that is consumed."""
        for queue in self.active_queues:
            if queue not in self._waits:
                self._waits[queue] = Wait(queue, self.async_pool.get_connection())
        return self.waiting()

    def on_answer(self, wait: Wait) -> bool:
        """Read a waiting connection's answer; return whether a message was taken."""
        if wait.asked_at is None:
            wait.connection.disconnect()  # no answer is owed: the server closed it
            return False
        with self._resting_when_full():
            wait.answer()
        return self.take_ready()

    def may_take(self) -> bool:
        """Tell whether prefetch allows another message, and Redis has not just refused one."""
        return bool(self.qos.can_consume()) and time.monotonic() >= self._rests_until

    @contextmanager
    def _resting_when_full(self) -> Iterator[None]:
        """Stop taking for a while where Redis has no memory left: what is in hand can end meanwhile, and makes room."""
        try:
            yield
        except redis.ResponseError as error:
            # Where a script was refused, redis-py knows the error by its text alone.
            if not isinstance(error, redis.OutOfMemoryError) and "OOM" not in str(error):
                raise
            _log.warning("Redis is full: nothing is taken for %g s", REST)
            self._rests_until = time.monotonic() + REST

    def take_ready(self) -> bool:
        """Take from the queues that hold something, in turn, what prefetch allows; return whether there was any."""
        taken = False
        for queue in self._queue_cycle.consume(len(self.active_queues)):
            wait = self._waits.get(queue)
            if wait is not None and wait.ready and self.may_take():
                taken |= self._take_and_deliver(wait)
        return taken

    def _take_and_deliver(self, wait: Wait) -> bool:
        callback, no_ack = self._consumers_of[wait.queue]
        left = 1
        messages: list[Any] = []
        with self._resting_when_full():
            left, messages = self._take(wait.queue, self.qos.can_consume_max_estimate() or MOST_MESSAGES, no_ack)
        wait.ready = left > 0
        self._queue_cycle.rotate(wait.queue)
        for message in messages:
            if not no_ack:
                self.qos.append(message, message.delivery_tag)
            callback(message)
        return bool(messages)

    def basic_get(self, queue: str, no_ack: bool = False, **_: Any) -> Any:
        """Return one message that waits, None where there is none."""
        left, messages = self._take(queue, 1, no_ack)
        while left and not messages:
            left, messages = self._take(queue, 1, no_ack)
        for message in messages:
            if not no_ack:
                self.qos.append(message, message.delivery_tag)
            return message
        return None

    def _take(self, queue: str, at_most: int, no_ack: bool) -> tuple[int, list[Any]]:
        """Take messages, the oldest first; return how many the queue still holds, and those that can be read."""
        keys = [queue, self.unacked_key, self.unacked_index_key, f"{queue}.malformed", COUNTS]
        words: list[Any] = [min(at_most, MOST_MESSAGES), MOST_BYTES, "0" if no_ack else "1"]
        left, *taken = self.scripts.take(keys=keys, args=words, client=self.commands)
        pairs = zip(taken[::2], taken[1::2], strict=True)
        return left, [message for tag, item in pairs if (message := self._read(queue, tag, item)) is not None]

    def _read(self, queue: str, tag: bytes, item: bytes) -> Any:
        """Return the message; one that Redis could read and Python can't is set aside."""
        try:
            message = self.Message(parsed(item), channel=self)
            if message.delivery_tag != bytes_to_str(tag) or not isinstance(message.delivery_info, dict):
                raise TypeError("its properties are not what they should be")  # noqa: TRY301
        except Exception as error:
            # Only what it is: the message may hold a customer's address.
            _log.error("a message in %s can't be read and was set aside: %s", queue, type(error).__name__)
            keys = [self.unacked_key, self.unacked_index_key, f"{queue}.malformed", COUNTS]
            self.scripts.set_aside(keys=keys, args=[tag, item], client=self.commands)
            return None
        return message

    # Giving back

    def settled(self, tags: Iterable[str]) -> None:
        """Forget messages that somebody else acknowledged in Redis, with the results of their tasks."""
        for tag in tags:
            self.qos.forget(tag)

    def requeue(self, tags: Iterable[str], *, redelivered: bool) -> None:
        """Put messages in hand back to be taken next, flagged as redelivered or not. Raises where Redis is away."""
        self.qos.put_back(dict.fromkeys(tags, redelivered))

    def close(self) -> None:
        """End: what is in hand goes back while there is a connection."""
        if not self.closed and self._qos is not None:
            self._qos.restore_unacked_once()
        super().close()

    def abandon(self) -> None:
        """End without a word to Redis: the connection is lost, or another process' own.

        What is in hand comes back by its visibility timeout. A task that ends before that is acknowledged nevertheless:
        the pool for commands stays, and connects when it is used.
        """
        self.closed = True
        self.qos.abandon()
        self._consumers_of.clear()
        self._waits.clear()
        if self._async_pool is not None:
            self._async_pool.disconnect()
        self._close_clients()

    def _on_connection_disconnect(self, connection: Any) -> None:
        for wait in self._waits.values():
            if wait.connection is connection:
                wait.asked_at = None
        super()._on_connection_disconnect(connection)


class Transport(MendedTransport):
    """The transport of `redis://` and `rediss://` URLs here."""

    Channel = Channel

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.cycle: Poller = Poller()

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Have the loop poll, look for overdue messages, and renew leases."""
        super().register_with_event_loop(connection, loop)
        self.cycle.call_later = loop.call_later
        visibility_timeout = self.client.transport_options.get("visibility_timeout", Channel.visibility_timeout)
        loop.call_repeatedly(visibility_timeout / 3, self.cycle.renew_leases)

    def _collect(self, _: Any) -> None:
        """Forget a lost connection; kombu calls this instead of closing it."""
        for channel in [*self.channels, *self._avail_channels]:
            channel.abandon()
        self.channels.clear()
        self._avail_channels.clear()
        self.cycle.close()
