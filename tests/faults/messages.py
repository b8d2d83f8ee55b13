"""Faults that come in messages: what can't be read, what comes twice or in the wrong order, one request many times."""

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from tests.bridge.raw_producer import produce
from tests.faults.outside import SOURCES, USERS, Letter
from tests.faults.products import PLENTY
from tests.faults.registry import Scene, fault

PARALLEL = 50
LARGE = 1_000_000


@fault(fires=("dead_letters",), on=("topics",))
def poison_on_topics(scene: Scene) -> None:
    """Bad JSON, null values, null keys, bad headers and a megabyte, on both topics and every partition."""
    mark = uuid.uuid4().hex
    for topic in SOURCES:
        for partition in range(3):
            for value in (b"{", b"\xff\xfe", b'"text"', b"[]", b'{"stock": -1, "productId": "x"}', b"x" * LARGE):
                key = f"{mark}-{partition}".encode()
                scene.outside.send_poison(topic, value, key, partition=partition)
        scene.outside.send_poison(topic, f'{{"nobody": "{mark}"}}'.encode(), None)
        scene.outside.send_poison(topic, b"{}", b"key", headers=[("ce_time", mark.encode()), ("\u2603", None)])
        scene.outside.send_poison(topic, None, None)
        _name_that_is_no_text(scene, topic, mark)
    # Good ones among them: a megabyte that can be read, and a product that goes by a null value.
    scene.outside.send("product_events", json.dumps(_level("large", "x" * (LARGE - 100))).encode(), b"large")
    scene.outside.send("product_events", json.dumps(_level(mark, "")).encode(), mark.encode())
    scene.outside.send("product_events", None, mark.encode())


def _level(product: str, padding: str) -> dict[str, object]:
    return {"productId": product, "stock": 1, "padding": padding}


def _name_that_is_no_text(scene: Scene, topic: str, mark: str) -> None:
    letter = Letter(topic, mark.encode(), b"{ no JSON")
    scene.outside.poison.append(letter)
    produce(scene.outside.bootstrap, topic, mark.encode(), b"{ no JSON", [(b"\xff\xfe", b"value")])


@fault(fires=("levels_superseded",), on=("topics",))
def events_shuffled_and_repeated(scene: Scene) -> None:
    """Old levels and log-ins again, shuffled and twice, without keys too: nothing newer is overwritten."""
    scene.products.tell_old(scene.rng, scene.outside.send_level)
    scene.products.tell_old(
        scene.rng, lambda _, level: scene.outside.send("product_events", json.dumps(level).encode(), None)
    )
    now = int(time.time() * 1000)
    times = [now - 600_000 + 1_000 * each for each in range(20)]
    scene.rng.shuffle(times)
    for at in times:
        user = f"user-{scene.rng.randrange(USERS)}"
        scene.outside.log_in(user, at, f"{user}-{at}@example.com")


@fault(fires=("accepts_repeated",), on=("api",))
def one_key_fifty_times(scene: Scene) -> None:
    """50 parallel POSTs with one Idempotency-Key: one order, one answer."""
    write = scene.journal.wanted("create", key=str(uuid.uuid4()))
    body = {"userId": "user-0", "productId": PLENTY, "quantity": 1, "metadata": {"write": write.number}}

    def ask(_: int) -> None:
        with closing(scene.caller()) as caller:
            scene.load.send(caller, write, "POST", "/order/create", body)

    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(ask, range(PARALLEL)))


@fault(fires=("messages_malformed",), on=("workers",))
def malformed_items_in_the_queue(scene: Scene) -> None:
    """Items that are no messages, among good ones in the list that workers read."""
    for item in ("no JSON", "[]", "{}", '{"properties": {}}', "null"):
        scene.shop.redis.lpush("orders", item)
