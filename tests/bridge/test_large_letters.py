"""A dead letter that its topic refuses as too large is cut, says where it is whole, and holds nobody up."""

import json
from collections.abc import Callable

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType

from bridge.dead_letters import CUT
from tests.processes import Service, eventually
from tests.topics import Topics, headers

LARGE = 8 * 1024 * 1024


def test_it_is_cut(own: Service, unique: Callable[[str], str]) -> None:
    bootstrap, redis = own.servers.kafka.bootstrap, own.servers.redis_client()
    entry = ConfigEntry("max.message.bytes", str(LARGE), incremental_operation=AlterConfigOpType.SET)
    topic = ConfigResource(ResourceType.TOPIC, "product_events", incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.incremental_alter_configs([topic])[topic].result()
    producer = Producer({"bootstrap.servers": bootstrap, "message.max.bytes": LARGE})
    mark, good = unique("mark"), unique("product")
    value, key = b"{broken" + b"x" * (3 * 1024 * 1024), b"k" * (2 * CUT)

    producer.produce("product_events", value, "small key", 1, headers={"mark": mark})
    producer.produce("product_events", b"{broken", key, 1, headers={"mark": mark, "h": b"h" * (3 * 1024 * 1024)})
    producer.produce("product_events", json.dumps({"productId": good, "stock": 5}), "k", 1)
    assert producer.flush(30) == 0

    eventually(lambda: redis.get(f"product:{good}:stock") == "5")
    with Topics(bootstrap).reader("product_events.dlq") as reader:
        reader.drain()
        letters = [each for each in reader.messages if "dlq_truncated" in headers(each)]
    by_value, by_headers = sorted(letters, key=lambda each: int(headers(each)["dlq_offset"]))
    assert (by_value.key(), by_value.value()) == (b"small key", value[:CUT])
    assert headers(by_value)["mark"] == mark
    assert (by_headers.key(), by_headers.value()) == (key[:CUT], b"{broken")
    assert headers(by_headers).keys() >= {"dlq_reason", "dlq_topic", "dlq_partition", "dlq_offset", "dlq_timestamp"}
    where = f"product_events/1 at offset {headers(by_value)['dlq_offset']}"
    assert headers(by_value)["dlq_truncated"].startswith(f"of {len(value)} bytes of value")
    assert headers(by_value)["dlq_truncated"].endswith(where)
    assert f"was cut; the whole message is in {where}" in own.children["bridge"].log.read_text()
