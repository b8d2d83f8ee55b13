"""The broker transport: how a message gets from a queue in Redis into a worker's hands, and back where it has to.

Keys and wire format are kombu's, so that its own workers and Flower work beside it (what *they* take has kombu's
promise).
"""

import kombu.transport

from settings import settings
from tasks.transport.message import register_serializer

_CLASSES = {"ours": "tasks.transport.transport:Transport", "stock": "tasks.transport.mended:MendedTransport"}


def register() -> None:
    """Have kombu use the chosen one. A scheme of our own in the URL would break Flower's broker page."""
    register_serializer()
    for scheme in ("redis", "rediss"):
        kombu.transport.TRANSPORT_ALIASES[scheme] = _CLASSES[settings().broker_transport]
