"""What the service learns from Kafka, stock levels and logins: a task for each message."""

import json
import signal
import sys
from typing import Any

from confluent_kafka import Consumer, Message

from textbook import create_app, tasks
from textbook.config import KAFKA_BROKER
from textbook.events import TOPICS_IN, create_topics


def _enqueue(message: Message) -> None:
    value = message.value()
    event: dict[str, Any] | None = json.loads(value) if value is not None else None
    if message.topic() == "user_logged_in" and event:
        tasks.greet_customer.delay(event["userId"], event.get("email"), event.get("preferences"))
    elif event is None or "deleted" in event.get("type", ""):
        key = message.key()
        tasks.remove_stock.delay(event["productId"] if event else key.decode() if isinstance(key, bytes) else key)
    else:
        tasks.set_stock.delay(event["productId"], event["stock"])


def main() -> None:
    """Consume until a signal says stop; offsets are committed by the client in the background."""
    create_app()
    create_topics()
    consumer = Consumer(
        {"bootstrap.servers": KAFKA_BROKER, "group.id": "order-service-textbook", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe(TOPICS_IN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        while True:
            message = consumer.poll(1.0)
            if message is None:
                continue
            if message.error():
                print(f"Kafka: {message.error()}", file=sys.stderr)
                continue
            try:
                _enqueue(message)
            except (ValueError, KeyError) as error:
                print(f"{message.topic()} at offset {message.offset()} was skipped: {error!r}", file=sys.stderr)
    finally:
        consumer.close()


if __name__ == "__main__":
    main()
