"""Our transport: what its channels share, a poller and the timers of an event loop."""

from typing import Any

from tasks.transport.channel import Channel
from tasks.transport.mended import MendedTransport
from tasks.transport.poller import Poller


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
