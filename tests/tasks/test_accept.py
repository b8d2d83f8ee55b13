"""Accepting a write is safe to run again: whatever is refused now, what was accepted before stays so."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal

import pytest
import redis

from local.servers import RedisServer
from models.ids import new_id
from models.writes import Write
from tasks.accept import Submission, accept


@pytest.fixture
def store(redis_server: RedisServer) -> Iterator["redis.Redis"]:
    with redis.Redis(port=redis_server.port, db=14, decode_responses=True) as client:
        client.flushdb()
        yield client
        client.config_set("maxmemory", 0)


def create(instead: Literal["refused", "full"] | None = None) -> Submission:
    order_id = new_id()
    body = {"userId": "user-1", "items": [{"productId": "lamp", "quantity": 1}], "currency": "USD"}
    write = Write(order_id, order_id, "create", body, datetime.now(UTC))
    return Submission(write, exists=True, instead=instead)


def again(submission: Submission, instead: Literal["refused", "full"] | None = None) -> Submission:
    return Submission(submission.write, exists=True, instead=instead)


@pytest.mark.parametrize("instead", [None, "refused", "full"])
def test_a_write_that_was_accepted_is_accepted_whatever_is_said_now(
    store: "redis.Redis", instead: Literal["refused", "full"] | None
) -> None:
    first = create()
    accepted = accept(store, first)

    assert accept(store, again(first, instead)) == accepted
    assert accepted.verdict == "accepted"
    assert store.llen("orders") == 1
    assert store.hget("counts", "accepts_repeated") == "1"
    assert store.hget("counts", "accepts_refused") is None


@pytest.mark.parametrize("instead", ["refused", "full"])
def test_a_new_write_is_not_accepted_where_something_else_is_said(
    store: "redis.Redis", instead: Literal["refused", "full"]
) -> None:
    assert accept(store, create(instead)).verdict == instead
    assert store.exists("orders") == 0
    assert store.hget("counts", "accepts_refused") == ("1" if instead == "full" else None)


def test_where_memory_is_full_only_what_was_accepted_before_is_accepted(store: "redis.Redis") -> None:
    first = create()
    accepted = accept(store, first)
    keys = sorted(store.keys())
    store.config_set("maxmemory", 1)

    assert accept(store, again(first)) == accepted
    assert accept(store, create()).verdict == "full"

    store.config_set("maxmemory", 0)
    assert store.llen("orders") == 1
    assert sorted(store.keys()) == keys
