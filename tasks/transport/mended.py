"""kombu's transport for Redis, mended where a worker would die of a lost connection."""

from collections.abc import Iterable
from typing import Any

import redis
from kombu.transport import redis as _redis
from kombu.transport import virtual

from tasks.transport.message import Message

kombu_redis: Any = _redis
"""kombu's transport; the stubs of its types know only what is public."""


class MendedChannel(kombu_redis.Channel):  # type: ignore[misc]
    """A channel that says that its connection is gone.

    When Redis goes away, kombu 5.7.0 closes the channel after it has forgotten its connection: giving back what was
    prefetched, and acknowledging what ends later, then raise an AttributeError that Celery takes for a reason to die.
    As a ConnectionError both are what they are: the messages stay unacknowledged and come back by their visibility
    timeout. (The same trace: kombu issue 582.)
    """

    Message = Message

    def __init__(self, *args: Any, **options: Any) -> None:
        self.never_started: set[str] = set()
        """Tags of messages in hand that nobody has begun to work on."""
        super().__init__(*args, **options)

    def settled(self, tags: Iterable[str]) -> None:
        """Forget messages that somebody else acknowledged in Redis, with the results of their tasks."""
        for tag in tags:
            virtual.QoS.ack(self.qos, tag)

    def requeue(self, tags: Iterable[str], *, redelivered: bool) -> None:  # noqa: ARG002 - kombu always flags them
        """Put messages in hand back to be taken next."""
        for tag in tags:
            self.qos.reject(tag, requeue=True)

    def _connparams(self, *args: Any, **options: Any) -> Any:
        if self.connection is None or self.connection.client is None:
            raise redis.ConnectionError("the connection of this channel was closed")
        return super()._connparams(*args, **options)


class MendedTransport(kombu_redis.Transport):  # type: ignore[misc]
    """kombu's transport with that one mend: `BROKER_TRANSPORT=stock`."""

    Channel = MendedChannel
