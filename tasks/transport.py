"""The broker transport: kombu's for Redis, mended where a worker would die of a lost connection."""

from collections.abc import Sequence
from typing import Any

import kombu.transport
import redis
from kombu.transport import virtual
from kombu.transport.redis import Channel, Transport


class MendedChannel(Channel):
    """A channel that says that its connection is gone.

    When Redis goes away, kombu 5.7.0 closes the channel after it has forgotten its connection: giving back what was
    prefetched, and acknowledging what ends later, then raise an AttributeError that Celery takes for a reason to die.
    As a ConnectionError both are what they are: the messages stay unacknowledged and come back by their visibility
    timeout. (The same trace: kombu issue 582.)
    """

    def _connparams(self, *args: Any, **options: Any) -> Any:
        if self.connection.client is None:
            raise redis.ConnectionError("the connection of this channel was closed")
        return super()._connparams(*args, **options)  # type: ignore[misc]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.never_started: set[str] = set()

    def settled(self, tags: Sequence[str]) -> None:
        """Forget messages that were acknowledged in Redis with their results."""
        for tag in tags:
            virtual.QoS.ack(self.qos, tag)

    def requeue(self, tags: Sequence[str], *, redelivered: bool) -> None:  # noqa: ARG002
        """Put messages in hand back into their queue."""
        for tag in tags:
            self.qos.restore_by_tag(tag)  # type: ignore[attr-defined]
        self.settled(tags)


class MendedTransport(Transport):
    """The transport of `redis://` and `rediss://` URLs here."""

    Channel = MendedChannel


def register() -> None:
    """Have kombu use it. A scheme of our own in the URL would break Flower's broker page."""
    for scheme in ("redis", "rediss"):
        kombu.transport.TRANSPORT_ALIASES[scheme] = "tasks.transport:MendedTransport"
