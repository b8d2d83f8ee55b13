"""Waiting: one connection for each queue, on which Redis says that the queue holds something.

Who consumes one queue alone sends the script that takes along. Redis runs it in the turn in which something was pushed,
before it goes to its disk: what was pushed and who has it in hand are written at once, and answered together.
"""

import logging
import time
from collections.abc import Callable
from queue import Empty
from typing import Any

import redis
from redis.exceptions import NoScriptError

from tasks.transport.mended import kombu_redis

RESTORE_AGAIN = 0.01
"""Seconds until the next script where more is overdue than one puts back: others have their turn between."""

ASK_AGAIN = 0.001
"""Seconds after messages came until Redis is asked for more: what came is on its way to the pool by then."""

LONGEST_POLL = 1.0
"""Seconds after which a consumer without an event loop looks after its leases."""

_log = logging.getLogger(__name__)


class Wait:
    """One queue's waiting connection. `ready`: when last heard of, the queue held a message."""

    def __init__(self, queue: str, connection: Any) -> None:
        self.queue = queue
        self.connection = connection
        self.client_id = 0
        self.ready = False
        self.asked_at: float | None = None
        self._taking = False

    def begin(self, script: str) -> None:
        """Learn by what number Redis knows the connection, which is a new one, and have it know the script to take."""
        self.asked_at = None
        commands = self.connection.pack_commands([("CLIENT ID",), ("SCRIPT LOAD", script)])
        self.connection.send_packed_command(commands, check_health=False)
        self.client_id = self.connection.read_response()
        self.connection.read_response()

    def ask(self, timeout: float, take: tuple[Any, ...] | None) -> None:
        """Ask to be answered when the queue holds a message, or after `timeout` seconds.

        Moving the last message to where it is takes nothing. `take` is a command that does, and is run right after.
        """
        move = ("BLMOVE", self.queue, self.queue, "RIGHT", "RIGHT", timeout)
        commands = self.connection.pack_commands([move] if take is None else [move, take])
        # Without redis-py's own check of the connection, which would connect anew behind the poller's back.
        self.connection.send_packed_command(commands, check_health=False)
        self._taking = take is not None
        self.asked_at = time.monotonic()

    @property
    def is_taking(self) -> bool:
        """Tell whether the next messages of the queue come by the answer that is owed."""
        return self._taking and self.asked_at is not None

    def answer(self) -> Any:
        """Read the answer; return what `take` was answered, None where nothing was asked to take or Redis lacks it."""
        self.asked_at = None
        moved = self._read()
        found = self._read() if self._taking else moved
        if isinstance(found, NoScriptError):
            self.ready = True  # it is called by itself then, which has Redis learn it anew
            return None
        if isinstance(found, Exception):
            self.connection.disconnect()
            raise found
        self.ready = moved is not None
        return found if self._taking else None

    def _read(self) -> Any:
        try:
            return self.connection.read_response()
        except redis.ResponseError as error:
            return error


class Poller(kombu_redis.MultiChannelPoller):  # type: ignore[misc]
    """kombu's poller, with waiting connections instead of its BRPOP."""

    def __init__(self) -> None:
        super().__init__()
        self.call_later: Callable[..., object] | None = None
        """The event loop's; without one, `get` does by itself what timers would."""
        self._look_after_at = 0.0
        self._asks_from = 0.0

    def on_poll_init(self, poller: Any) -> None:
        """Use the event loop's poller."""
        self.poller = poller

    def on_poll_start(self) -> bool:
        """Take what is known to wait, ask for what is not; return whether something was taken."""
        taken = [channel.take_ready() for channel in list(self._channels)]
        super().on_poll_start()
        return any(taken)

    def _register_BRPOP(self, channel: Any) -> None:  # noqa: N802
        if time.monotonic() < self._asks_from or not channel.may_take():
            return
        for wait in channel.waits():
            if wait.connection._sock is None or (channel, wait, wait) not in self._chan_to_sock:
                self._register(channel, wait, wait)
                wait.begin(channel.scripts.take.script)
            if wait.asked_at is None:
                wait.ask(channel.brpop_timeout, channel.command_to_take(wait.queue))

    def on_readable(self, fileno: int) -> Any:
        """Read what came; return whether a message did."""
        channel, kind = self._fd_to_chan.get(fileno, (None, None))
        if isinstance(kind, Wait):
            came = channel.on_answer(kind)
            if came and self.call_later is not None:
                self._asks_from = time.monotonic() + ASK_AGAIN
                self.call_later(ASK_AGAIN, _turn)
            return came
        super().on_readable(fileno)
        return True

    def handle_event(self, fileno: int, event: int) -> Any:
        """Handle an event without an event loop; return whether a message came."""
        if isinstance(self._fd_to_chan.get(fileno, (None, None))[1], Wait):
            return self.on_readable(fileno)
        return super().handle_event(fileno, event)

    def get(self, callback: Any, timeout: float | None = None) -> None:  # noqa: ARG002
        """Deliver what comes within `timeout` seconds, for consumers without an event loop; raise Empty otherwise."""
        self._in_protected_read = True
        try:
            self.maybe_refresh_binding_expiry()
            self._look_after()
            delivered = self.on_poll_start()
            longest = LONGEST_POLL if timeout is None else min(timeout, LONGEST_POLL)
            # Also after a delivery: a queue that is always full must not keep the others from being heard.
            for fileno, event in self.poller.poll(0 if delivered else longest) or ():
                delivered |= bool(self.handle_event(fileno, event))
            if not delivered:
                self.maybe_check_brpop_health()
                raise Empty
        finally:
            self._in_protected_read = False
            while self.after_read:
                self.after_read.pop()()

    def _look_after(self) -> None:
        now = time.monotonic()
        if now < self._look_after_at:
            return
        self._look_after_at = now + min([1.0, *(channel.visibility_timeout / 3 for channel in self._channels)])
        self.renew_leases()
        self.maybe_restore_messages()

    def renew_leases(self) -> None:
        """Renew what is in hand, while it is worked on as while it waits."""
        for channel in list(self._channels):
            try:
                channel.qos.renew_leases()
            except channel.redis_errors as error:
                _log.warning("leases were not renewed: %s", type(error).__name__)

    def maybe_restore_messages(self) -> None:
        """Put back what is overdue; one channel does it for all, and none that acknowledges nothing."""
        channel = next((channel for channel in self._channels if channel.acknowledges()), None)
        if channel is None:
            return
        try:
            left = channel.qos.restore_overdue()
        except channel.redis_errors as error:
            _log.warning("did not look for overdue messages: %s", type(error).__name__)
            return
        if left:
            self._look_after_at = 0.0
            if self.call_later is not None:
                self.call_later(RESTORE_AGAIN, self.maybe_restore_messages)

    def maybe_check_brpop_health(self) -> None:
        """Drop a connection whose answer is overdue: its server went without a word."""
        now = time.monotonic()
        for channel in list(self._channels):
            longest = channel.brpop_timeout + channel.health_check_interval
            for wait in channel.waiting():
                overdue = wait.asked_at is not None and now - wait.asked_at > longest
                sock = wait.connection._sock
                if (
                    overdue
                    and channel.health_check_interval
                    and sock is not None
                    and not kombu_redis._socket_readable(sock)
                ):
                    _log.warning("Redis has not answered for %.0f s: connecting anew", now - wait.asked_at)
                    wait.connection.disconnect()


def _turn() -> None:
    """Have the loop take another turn, at whose end Redis is asked."""
