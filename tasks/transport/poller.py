"""Waiting without taking: one connection for each queue, on which Redis says that the queue holds something."""

import logging
import time
from collections.abc import Callable
from queue import Empty
from typing import Any

from tasks.transport.mended import kombu_redis

RESTORE_AGAIN = 0.01
"""Seconds until the next script where more is overdue than one puts back: others have their turn between."""

LONGEST_POLL = 1.0
"""Seconds after which a consumer without an event loop looks after its leases."""

_log = logging.getLogger(__name__)


class Wait:
    """One queue's waiting connection. `ready`: when last heard of, the queue held a message."""

    def __init__(self, queue: str, connection: Any) -> None:
        self.queue = queue
        self.connection = connection
        self.ready = False
        self.asked_at: float | None = None

    def ask(self, timeout: float) -> None:
        """Ask to be answered when the queue holds a message, or after `timeout` seconds.

        Moving the last message to where it is takes nothing: who dies now, loses nothing.
        """
        # Without redis-py's own check of the connection, which would connect anew behind the poller's back.
        self.connection.send_command("BLMOVE", self.queue, self.queue, "RIGHT", "RIGHT", timeout, check_health=False)
        self.asked_at = time.monotonic()

    def answer(self) -> None:
        """Read the answer."""
        self.asked_at = None
        try:
            self.ready = self.connection.read_response() is not None
        except Exception:
            self.connection.disconnect()
            raise


class Poller(kombu_redis.MultiChannelPoller):  # type: ignore[misc]
    """kombu's poller, with waiting connections instead of its BRPOP."""

    def __init__(self) -> None:
        super().__init__()
        self.call_later: Callable[..., object] | None = None
        """The event loop's; without one, `get` does by itself what timers would."""
        self._look_after_at = 0.0

    def on_poll_init(self, poller: Any) -> None:
        """Use the event loop's poller."""
        self.poller = poller

    def on_poll_start(self) -> bool:
        """Take what is known to wait, ask for what is not; return whether something was taken."""
        taken = [channel.take_ready() for channel in list(self._channels)]
        super().on_poll_start()
        return any(taken)

    def _register_BRPOP(self, channel: Any) -> None:  # noqa: N802
        if not channel.may_take():
            return
        for wait in channel.waits():
            if wait.connection._sock is None or (channel, wait, wait) not in self._chan_to_sock:
                wait.asked_at = None
                self._register(channel, wait, wait)
            if wait.asked_at is None:
                wait.ask(channel.brpop_timeout)

    def on_readable(self, fileno: int) -> Any:
        """Read what came; return whether a message did."""
        channel, kind = self._fd_to_chan.get(fileno, (None, None))
        if isinstance(kind, Wait):
            return channel.on_answer(kind)
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
