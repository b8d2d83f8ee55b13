"""NOTIFICATIONS_OFF=accept: the order is stored, and its event says that the customer wants no notice of it."""

from collections.abc import Callable
from pathlib import Path

from tests.client import Client
from tests.processes import Servers, Service, service
from tests.topics import Topics, value


def test_an_order_of_a_customer_without_notifications_is_taken_and_marked(
    shop: Service, servers: Servers, topics: Topics, tmp_path: Path, unique: Callable[[str], str]
) -> None:
    own = Servers(servers.redis_server, servers.mongod, servers.kafka, database="accepting", redis_db=6)
    user, product = unique("user"), unique("product")
    own.redis_client().set(f"product:{product}:stock", 5)
    own.redis_client().hset("user:preferences", user, '{"notifications": false}')

    with service(own, tmp_path, NOTIFICATIONS_OFF="accept") as running:
        running.api()
        running.worker("orders")
        order = Client(running.url).create(user, {"productId": product, "quantity": 1})
        with topics.reader("order_created") as reader:
            (message,) = reader.wait_for(1, key=order["orderId"])

    assert value(message)["notify"] is False
