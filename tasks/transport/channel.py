"""Our channel: a message leaves its queue in the same step in which it is noted as in somebody's hands."""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import redis

from tasks.transport.in_hand import InHand
from tasks.transport.mended import MendedChannel
from tasks.transport.poller import Wait
from tasks.transport.scripts import MOST_MESSAGES, Scripts
from tasks.transport.taking import Taking

MOST_UNSEEN = 100
"""Messages taken at the most by who waits: if it was frozen meanwhile, they come back by their visibility timeout."""

REST = 1.0
"""Seconds for which nothing is taken when Redis has no memory left for it."""

_log = logging.getLogger(__name__)


class Channel(MendedChannel):
    """A channel whose messages leave their queue by one script, which notes who has them."""

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

    @cached_property
    def taking(self) -> Taking:
        """How messages are taken."""
        return Taking(self)

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
                self._hear_out(wait)
                wait.connection.disconnect()
                self.async_pool.release(wait.connection)

    def _hear_out(self, wait: Wait) -> None:
        """Put back what a wait that ends has just been given."""
        if not wait.is_taking:
            return
        try:
            self.commands.client_unblock(wait.client_id)
            _, messages = self.taking.read(wait.queue, wait.answer() or [0])
            for message in messages:
                self.qos.append(message, message.delivery_tag)
            self.requeue([message.delivery_tag for message in messages], redelivered=False)
        except self.redis_errors as error:
            _log.warning("what came last comes back by its visibility timeout: %s", type(error).__name__)

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
        taken = None
        with self._resting_when_full():
            taken = wait.answer()
        if taken is None:
            return self.take_ready()
        return self._deliver(wait, *self.taking.read(wait.queue, taken))

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
            if wait is not None and wait.ready and not wait.is_taking and self.may_take():
                taken |= self._take_and_deliver(wait)
        return taken

    def _take_and_deliver(self, wait: Wait) -> bool:
        left = 1
        messages: list[Any] = []
        with self._resting_when_full():
            left, messages = self.taking.take(wait.queue, self._most(), self._consumers_of[wait.queue][1])
        return self._deliver(wait, left, messages)

    def _deliver(self, wait: Wait, left: int, messages: Sequence[Any]) -> bool:
        callback, no_ack = self._consumers_of[wait.queue]
        wait.ready = left > 0
        self._queue_cycle.rotate(wait.queue)
        for message in messages:
            if not no_ack:
                self.qos.append(message, message.delivery_tag)
            callback(message)
        return bool(messages)

    def command_to_take(self, queue: str) -> tuple[Any, ...] | None:
        """Return the command that takes from a queue, to be sent along with the wait; None where it must not be.

        Who consumes several queues has room for one of them when a message comes, and each has its turn. And what is
        not acknowledged is lost with who has it in hand.
        """
        if len(self.active_queues) > 1 or self._consumers_of[queue][1]:
            return None
        return self.taking.command(queue, min(self._most(), MOST_UNSEEN))

    def _most(self) -> int:
        """Return how many messages prefetch allows, as far as one script takes them."""
        return min(self.qos.can_consume_max_estimate() or MOST_MESSAGES, MOST_MESSAGES)

    def basic_get(self, queue: str, no_ack: bool = False, **_: Any) -> Any:
        """Return one message that waits, None where there is none."""
        left, messages = self.taking.take(queue, 1, no_ack)
        while left and not messages:
            left, messages = self.taking.take(queue, 1, no_ack)
        for message in messages:
            if not no_ack:
                self.qos.append(message, message.delivery_tag)
            return message
        return None

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
