"""What a message says when it was put back: another tag, a flag, and else what it said before."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import redis

from tasks.envelope import envelope
from tests.tasks.transport.consumers import Consumer, age, look_after, waiting

Make = Callable[..., Consumer]


@pytest.mark.parametrize(
    ("edited", "expected"),
    [
        ('{"properties": {"delivery_info": {"a": 1}, "delivery_tag": "t"}}', {"a": 1, "redelivered": True}),
        ('{"properties":{"delivery_tag":"t","delivery_info":{"a":1}}}', {"a": 1, "redelivered": True}),
        ('{"properties": {"delivery_tag": "t", "delivery_info": {}}}', {"redelivered": True}),
        (
            '{"properties": {"delivery_info": {"redelivered": false, "a": 1}, "delivery_tag": "t"}}',
            {"a": 1, "redelivered": True},
        ),
        ('{"properties": {"delivery_info": {"redelivered":true}, "delivery_tag": "t"}}', {"redelivered": True}),
        (
            '{"body": "\\"delivery_tag\\": \\"t\\"", "x": [], "n": 12345678901234567890, "properties": '
            '{"delivery_info": {}, "delivery_tag": "t"}}',
            {"redelivered": True},
        ),
    ],
)
def test_only_tag_and_flag_of_the_text_change(
    edited: str, expected: dict[str, Any], store: "redis.Redis", consumer: Make
) -> None:
    store.hset("unacked", "t", f'[{edited}, "", "q"]')
    age(store, "t")

    look_after(consumer("ours"))

    (found,) = waiting(store)
    whole = json.loads(edited)
    whole["properties"] |= {"delivery_tag": "t~1", "delivery_info": expected}
    assert found == whole


@pytest.mark.parametrize(
    "odd",
    [
        '{"properties": {"delivery_tag" : "t", "delivery_info": {}}}',
        '{"headers": {"delivery_tag": "t"}, "properties": {"delivery_info": {}, "delivery_tag": "t"}}',
        '{"headers": {"delivery_info": {}}, "properties": {"delivery_info": {}, "delivery_tag": "t"}}',
        '{"properties": {"delivery_tag": "t"}}',
        "{",
    ],
)
def test_what_can_t_be_edited_goes_back_as_it_was(odd: str, store: "redis.Redis", consumer: Make) -> None:
    store.hset("unacked", "t", f'[{odd}, "", "q"]')
    age(store, "t")

    look_after(consumer("ours"))

    assert store.lrange("q", 0, -1) == [odd]


def test_a_write_s_own_message_goes_back_whole_again_and_again(store: "redis.Redis", consumer: Make) -> None:
    text = envelope("create_order", "task", {"order": {"items": []}}, "q")
    store.lpush("q", text)
    taker = consumer("ours", "q")
    for number in range(1, 13):
        taker.receive(number)[-1].requeue()

    (found,) = waiting(store)
    whole = json.loads(text)
    whole["properties"]["delivery_tag"] += "~12"
    whole["properties"]["delivery_info"]["redelivered"] = True
    assert found == whole
