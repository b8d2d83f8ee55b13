"""How much waits in the queues that the bridge feeds; while it is too much, their topics can wait in Kafka."""

import redis

QUEUES = {"product_events": "stock", "user_logged_in": "logins"}
"""Which topic feeds which queue."""

RESUME_AT = 0.8
"""The part of the mark below which a topic is read on; at the mark itself it would pause with every batch."""


class Backlog:
    """The queues in one Redis, and how many messages may wait in each of them."""

    def __init__(self, client: "redis.Redis", mark: int) -> None:
        self._client = client
        self.mark = mark

    def full(self, paused: set[str]) -> set[str]:
        """Return the topics whose queue is above the mark, or was (`paused`) and is not well below it yet."""
        with self._client.pipeline(transaction=False) as pipeline:
            for queue in QUEUES.values():
                pipeline.llen(queue)
            lengths = dict(zip(QUEUES, pipeline.execute(), strict=True))
        return {
            topic for topic, length in lengths.items() if length > self.mark * (RESUME_AT if topic in paused else 1)
        }
