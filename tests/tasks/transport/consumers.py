"""Consumers of either transport: in this process, and as a process of its own that can be frozen and killed.

As a program it takes what comes and keeps it: `python -m tests.tasks.transport.consumers <port> <transport> <queue>`.
"""

import json
import sys
from typing import Any

import kombu
import redis

CLASSES = {"stock": "tasks.transport.mended:MendedTransport", "ours": "tasks.transport.transport:Transport"}

OPTIONS: dict[str, Any] = {
    "visibility_timeout": 60,
    "priority_steps": [0],
    "unacked_restore_throttle": 1,
    "socket_timeout": 10,
    "health_check_interval": 5,
}


class Consumer:
    """A kombu consumer that keeps what it gets, until a test says what becomes of it."""

    def __init__(
        self, port: int, which: str, *queues: str, prefetch: int = 0, no_ack: bool = False, **options: Any
    ) -> None:
        self.got: list[Any] = []
        self.connection: Any = kombu.Connection(
            f"redis://127.0.0.1:{port}/0", transport=CLASSES[which], transport_options={**OPTIONS, **options}
        )
        channel: Any = self.connection.channel()
        self.channel = channel
        self.channel.basic_qos(0, prefetch, False)
        self._consumer = kombu.Consumer(
            self.channel,
            [kombu.Queue(name, exchange="", routing_key=name, no_declare=True) for name in queues],
            on_message=self.got.append,
            no_ack=no_ack,
            accept=["text/plain", "application/json"],
        )
        self._consumer.consume()

    def drain(self, seconds: float = 0.0) -> None:
        """Receive what comes within so many seconds, at least what is there."""
        try:
            self.connection.drain_events(timeout=seconds or 0.05)
        except TimeoutError:
            return

    def receive(self, count: int) -> list[Any]:
        """Receive until there are so many; fail where they don't come within 20 s each."""
        while len(self.got) < count:
            self.connection.drain_events(timeout=20)
        return self.got

    def bodies(self) -> list[str]:
        """What it has got, as it was written."""
        return [each.body if isinstance(each.body, str) else each.body.decode() for each in self.got]

    def cancel(self) -> None:
        """Consume no more."""
        self._consumer.cancel()

    def close(self) -> None:
        """End as a program ends that has time for it."""
        self.connection.release()

    def lose(self) -> None:
        """End as after a lost connection."""
        self.connection.collect()


def age(store: "redis.Redis", *tags: str) -> None:
    """Have these been in hand since long ago."""
    store.zadd("unacked_index", dict.fromkeys(tags, 1.0))


def look_after(consumer: Consumer) -> bool:
    """Do what a worker does each second: look for what is overdue, until nothing is."""
    qos: Any = consumer.channel.qos
    if hasattr(qos, "restore_overdue"):
        while qos.restore_overdue():
            pass
    else:
        qos.restore_visible()
    return True


def waiting(store: "redis.Redis", queue: str = "q") -> list[Any]:
    """What waits in a queue, the next one first."""
    return [json.loads(text) for text in reversed(store.lrange(queue, 0, -1))]


def main() -> None:
    """Take what comes and keep it."""
    port, which, queue = sys.argv[1:]
    consumer = Consumer(int(port), which, queue, visibility_timeout=1)
    print("ready.", flush=True)
    while True:
        try:
            consumer.connection.drain_events(timeout=1)
        except TimeoutError:
            continue


if __name__ == "__main__":
    main()
