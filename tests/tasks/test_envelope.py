"""A message that is filled into a template is the one that Celery itself would have pushed, less what says nothing."""

import json
from base64 import b64decode
from typing import Any

import pytest
import redis
from celery import Celery

from local.servers import RedisServer
from models.ids import new_id
from tasks import app
from tasks.envelope import VERSION, envelope

TEXTS = ['"', "\\", 'a "predecessor": null b', "@task-id@ @body@ @header-subject@", "ü \u2028 💶", "{}", "%s"]
OURS = {"envelope", "subject", "kwargsrepr"}
SAYS_NOTHING: dict[str, Any] = {
    "shadow": None,
    "eta": None,
    "expires": None,
    "group_index": None,
    "retries": 0,
    "timelimit": [None, None],
    "ignore_result": False,
    "replaced_task_nesting": 0,
    "stamped_headers": None,
    "stamps": {},
}
NO_CALLBACKS = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


def pushed(server: RedisServer, task_id: str, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the message that Celery and kombu push for a task."""
    client = redis.Redis(port=server.port, db=13, decode_responses=True)
    with Celery(broker=f"redis://127.0.0.1:{server.port}/13", set_as_current=False) as stock:
        stock.conf.update(task_queues=app.conf.task_queues)
        stock.send_task("set_stock_level", kwargs=kwargs, task_id=task_id, queue="stock", ignore_result=False)
    message: dict[str, Any] = json.loads(str(client.rpop("stock")))
    return message


def body(message: dict[str, Any]) -> Any:
    return json.loads(b64decode(message.pop("body")))


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_filled_in_is_what_celery_pushes(redis_server: RedisServer, text: str) -> None:
    task_id, kwargs = new_id(), {"text": text, "deep": {"list": [1, 1.5, None, {"a": text}]}}
    theirs = pushed(redis_server, task_id, kwargs)
    ours = json.loads(envelope("set_stock_level", task_id, kwargs, "stock", subject=text))

    assert body(ours) == [[], kwargs, {}]
    assert body(theirs) == [[], kwargs, NO_CALLBACKS]
    assert {name: theirs["headers"].pop(name) for name in SAYS_NOTHING} == SAYS_NOTHING
    assert ours["headers"]["envelope"] == VERSION
    assert ours["headers"]["subject"] == text
    assert text in ours["headers"]["kwargsrepr"] or repr(text)[1:-1] in ours["headers"]["kwargsrepr"]
    for message in (ours, theirs):
        message["headers"] = {name: value for name, value in message["headers"].items() if name not in OURS}
        del message["properties"]["delivery_tag"]
    del theirs["properties"]["reply_to"]  # nobody waits for an answer to ours
    assert ours["headers"] == theirs["headers"]
    assert ours == theirs


def test_every_message_has_a_tag_of_its_own() -> None:
    one, other = (json.loads(envelope("set_stock_level", "same", {}, "stock")) for _ in range(2))

    assert one["properties"]["delivery_tag"] != other["properties"]["delivery_tag"]


def test_a_header_that_is_not_told_is_null() -> None:
    message = json.loads(envelope("create_order", "t", {}, "orders", order_id="o", predecessor=None))

    assert message["headers"]["order_id"] == "o"
    assert message["headers"]["predecessor"] is None
