"""`python -m bridge`: runs until TERM or Ctrl-C, then passes on what it holds and commits its offsets.

With `replay` or `resume` behind it, a command for operators.
"""

import logging
import signal
import sys
import threading

from bridge import commands
from bridge.dead_letters import DeadLetters
from bridge.loop import Bridge, Limits, new_consumer
from bridge.topic_ids import TopicIds
from models.connections import redis_client
from settings import settings
from tasks import heartbeat
from tasks.patience import TryLaterError
from tasks.topics import MissingTopicsError, make_topics

REDIS_TIMEOUT = 5.0
"""Seconds the bridge waits for an answer of Redis before it pauses."""

TOPICS_RETRY = 2.0
"""Seconds between two tries to reach Kafka at start."""

_log = logging.getLogger("bridge")


def main() -> int:
    """Run the bridge, or a command; return the exit code."""
    asked = commands.parser().parse_args()
    return commands.run(asked) if asked.command else _run()


def _run() -> int:
    chosen = settings()
    logging.basicConfig(level=chosen.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        _make_topics(chosen.kafka_broker, stopping)
    except MissingTopicsError as error:
        _log.error("%s", error)
        return 1
    if stopping.is_set():
        return 0
    consumer = new_consumer(chosen.kafka_broker, chosen.kafka_group)
    topic_ids = TopicIds(consumer, chosen.kafka_broker)
    limits = Limits(chosen.bridge_queue_mark, chosen.dlq_limit)
    bridge = Bridge(consumer, topic_ids, redis_client(REDIS_TIMEOUT), DeadLetters(chosen.kafka_broker), limits)
    bridge.run(stopping.is_set, heartbeat.touch)
    return 0


def _make_topics(brokers: str, stopping: threading.Event) -> None:
    told = False
    while not stopping.is_set():
        try:
            make_topics(brokers)
        except TryLaterError as error:
            if not told:
                _log.warning("waiting: %s", error)
            told = True
            stopping.wait(TOPICS_RETRY)
        else:
            return


if __name__ == "__main__":
    sys.exit(main())
