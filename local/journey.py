"""One order's way through the service, seen from outside: Kafka in, HTTP, Kafka out, each step with its time."""

import json
import secrets
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from redis import Redis

from local.errors import LocalError

STEP_SECONDS = 30.0
STOCK, QUANTITY = 10, 2
ENDED = {"SUCCESS", "FAILURE", "REVOKED"}
OUT = ("order_created", "user_orders")

Seen = TypeVar("Seen")


@dataclass(frozen=True)
class Step:
    """What happened, what was seen of it, and how many milliseconds it took."""

    what: str
    seen: str
    milliseconds: float


class Journey:
    """A new product and a new customer, and one order of theirs."""

    def __init__(self, base_url: str, brokers: str, redis: "Redis") -> None:
        self._base_url = base_url
        self._redis = redis
        self._brokers = brokers
        self._product = f"product-{secrets.token_hex(4)}"
        self._user = f"user-{secrets.token_hex(4)}"
        self._email = f"{self._user}@example.com"

    def steps(self) -> Iterator[Step]:
        """Go the whole way; LocalError names the step that did not succeed in time."""
        producer = Producer({"bootstrap.servers": self._brokers, "log_level": 0})
        consumer = self._consumer()
        try:
            yield self._learn_stock(producer)
            yield self._learn_customer(producer)
            created = self._post()
            yield created[0]
            yield self._poll(created[1])
            yield self._read_created(consumer, created[1]["orderId"])
            yield self._read_user_orders(consumer, created[1]["orderId"])
        finally:
            consumer.close()

    def _consumer(self) -> Consumer:
        """Return a consumer without a group that stands at the end of our topics, before anything is sent."""
        consumer = Consumer(
            {
                "bootstrap.servers": self._brokers,
                "group.id": "journey",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 50,
                "log_level": 0,
            }
        )

        def ends() -> list[TopicPartition] | None:
            try:
                topics = consumer.list_topics(timeout=5).topics
                places = [TopicPartition(name, number) for name in OUT for number in topics[name].partitions]
                for place in places:
                    place.offset = consumer.get_watermark_offsets(place, timeout=5)[1]
            except (KeyError, KafkaException):  # not made yet
                return None
            return places

        consumer.assign(_wait(f"the topics {' and '.join(OUT)} exist", ends))
        return consumer

    def _learn_stock(self, producer: Producer) -> Step:
        key = f"product:{self._product}:stock"
        event = {"productId": self._product, "stock": STOCK, "time": datetime.now(UTC).isoformat()}
        started = time.monotonic()
        _send(producer, "product_events", self._product, event)
        _wait(f"Redis has {key} = {STOCK}", lambda: self._redis.get(key) == str(STOCK))
        return _step("Kafka product_events brings stock", f"Redis {key} = {STOCK}", started)

    def _learn_customer(self, producer: Producer) -> Step:
        event = {"userId": self._user, "email": self._email, "preferences": {"notifications": True}}
        started = time.monotonic()
        _send(producer, "user_logged_in", self._user, event)
        _wait(f"Redis has user:email {self._user}", lambda: self._redis.hget("user:email", self._user) == self._email)
        return _step(
            "Kafka user_logged_in brings a customer", f"Redis user:email {self._user} = {self._email}", started
        )

    def _post(self) -> tuple[Step, dict[str, Any]]:
        items = [{"productId": self._product, "quantity": QUANTITY, "unitPrice": "9.99"}]
        started = time.monotonic()
        accepted = self._http("/order/create", {"userId": self._user, "items": items})
        return _step("POST /order/create", f"202 {accepted['statusUrl']}", started), accepted

    def _poll(self, accepted: dict[str, Any]) -> Step:
        started = time.monotonic()
        path = f"/task/{accepted['taskId']}"
        task = _wait(f"GET {path} shows an end", lambda: _if(self._http(path), lambda seen: seen["state"] in ENDED))
        if task["outcome"] != "created":
            raise LocalError(f"the order was not created: {json.dumps(task)}")
        seen = f"{task['state']}, {task['outcome']}, total {task['order']['total']} {task['order']['currency']}"
        return _step("GET /task/<taskId>", seen, started)

    def _read_created(self, consumer: Consumer, order_id: str) -> Step:
        started = time.monotonic()
        event = _read(consumer, "order_created", lambda value: value["orderId"] == order_id)
        return _step("Kafka order_created", f"{event['orderId']} for {event['email']}", started)

    def _read_user_orders(self, consumer: Consumer, order_id: str) -> Step:
        started = time.monotonic()
        self._http(f"/order/{self._user}")
        event = _read(
            consumer,
            "user_orders",
            lambda value: value["userId"] == self._user and order_id in [order["orderId"] for order in value["orders"]],
        )
        return _step("GET /order/<userId>, Kafka user_orders", f"{event['total']} order of {event['email']}", started)

    def _http(self, path: str, body: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(self._base_url + path)
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise LocalError(f"{path} answered {error.code}: {error.read().decode(errors='replace')}") from None
        except OSError as error:
            raise LocalError(f"{path} did not answer: {error}") from None


def _send(producer: Producer, topic: str, key: str, value: dict[str, Any]) -> None:
    producer.produce(topic, json.dumps(value), key)
    if producer.flush(STEP_SECONDS):
        raise LocalError(f"Kafka did not take a message to {topic} within {STEP_SECONDS:.0f} s")


def _read(consumer: Consumer, topic: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    def value() -> dict[str, Any] | None:
        message: Message | None = consumer.poll(0.5)
        if message is None or message.error() or message.topic() != topic:
            return None
        return _if(json.loads(message.value() or b"null"), wanted)

    return _wait(f"Kafka's {topic} shows the order", value)


def _if(value: Seen, condition: Callable[[Seen], bool]) -> Seen | None:
    return value if condition(value) else None


def _wait(what: str, look: Callable[[], Seen | None]) -> Seen:
    deadline = time.monotonic() + STEP_SECONDS
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise LocalError(f"gave up after {STEP_SECONDS:.0f} s waiting until {what}")
        time.sleep(0.01)
    return seen


def _step(what: str, seen: str, started: float) -> Step:
    return Step(what, seen, (time.monotonic() - started) * 1000)
