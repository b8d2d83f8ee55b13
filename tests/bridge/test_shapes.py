"""Reading the shapes of incoming messages, without any server."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bridge.incoming import Incoming
from bridge.shapes import UnreadableError, read_login, read_product_event

KAFKA_TIME = 1_700_000_000_000
UNSET = object()


def product_event(value: Any = UNSET, key: bytes | None = b"p1", raw: bytes | None = None, **headers: str) -> Incoming:
    body = raw if value is UNSET else json.dumps(value).encode()
    told = tuple((name, text.encode()) for name, text in headers.items())
    return Incoming("product_events", 1, 7, KAFKA_TIME, key, body, told)


def login(value: Any = UNSET, raw: bytes | None = None) -> Incoming:
    body = raw if value is UNSET else json.dumps(value).encode()
    return Incoming("user_logged_in", 0, 3, KAFKA_TIME, b"u1", body, ())


@pytest.mark.parametrize("name", ["productId", "product_id", "id", "_id", "sku"])
@pytest.mark.parametrize("level", ["stock", "quantity", "available", "inventory"])
@pytest.mark.parametrize("nest", [None, "product", "data", "payload"])
def test_a_level_is_read_under_every_name_flat_and_nested(name: str, level: str, nest: str | None) -> None:
    told = {name: "p1", level: 5}

    found = read_product_event(product_event({nest: told} if nest else told))

    assert (found.product_id, found.units, found.at) == ("p1", 5, KAFKA_TIME)
    assert (found.source, found.offset) == ("product_events/1", 7)


@pytest.mark.parametrize(
    "event",
    [
        {"id": "event-1", "type": "product.updated", "data": {"id": "p1", "stock": 5}},
        {"id": "event-1", "productId": "p1", "stock": 5},
        {"productId": "p1", "data": {"id": "row-1", "stock": 5}},
        {"payload": {"data": {"product": {"sku": "p1"}, "available": 5}}},
        {"productId": None, "id": "p1", "stock": None, "quantity": 5},
        {"product": "Lamp", "data": ["x"], "payload": {"productId": "p1", "stock": 5}},
    ],
    ids=range(6),
)
def test_the_id_and_the_level_are_the_product_s_wherever_they_stand(event: dict[str, Any]) -> None:
    found = read_product_event(product_event(event))

    assert (found.product_id, found.units) == ("p1", 5)


def test_the_id_of_a_cloud_events_envelope_is_never_taken_for_a_product_s_or_a_user_s() -> None:
    envelope = {"specversion": "1.0", "id": "event-1", "source": "/products", "type": "stock"}

    assert read_product_event(product_event({**envelope, "data": {"id": "p1", "stock": 5}})).product_id == "p1"
    assert read_login(login({**envelope, "data": {"id": "u1"}})).user_id == "u1"
    with pytest.raises(UnreadableError):
        read_product_event(product_event({**envelope, "data": {"stock": 5}}))
    with pytest.raises(UnreadableError):
        read_login(login({**envelope, "data": {"email": "a@example.com"}}))


def test_the_outermost_time_is_the_event_s() -> None:
    event = {"time": 1_672_628_645_678, "data": {"productId": "p1", "stock": 5, "time": 1, "updatedAt": 2}}

    assert read_product_event(product_event(event)).at == 1_672_628_645_678


@pytest.mark.parametrize(("level", "units"), [(0, 0), (3.0, 3), (2**53 - 1, 2**53 - 1)])
def test_a_level_is_a_whole_number(level: float, units: int) -> None:
    assert read_product_event(product_event({"productId": "p1", "stock": level})).units == units


@pytest.mark.parametrize("number", [17, 0])
def test_a_number_is_an_id_too(number: int) -> None:
    assert read_product_event(product_event({"productId": number, "stock": 1})).product_id == str(number)


@pytest.mark.parametrize("kind", ["product.deleted", "ProductDeleted", "deleted"])
def test_a_deletion_removes_the_product_without_a_level(kind: str) -> None:
    assert read_product_event(product_event({"productId": "p1", "type": kind})).units is None


def test_a_deletion_may_be_told_by_the_header_of_cloud_events() -> None:
    message = product_event({"id": "p1", "type": "lamp", "stock": 5}, ce_type="com.shop.product.deleted")

    assert read_product_event(message).units is None


def test_a_tombstone_removes_the_product_of_its_key() -> None:
    found = read_product_event(product_event(key=b"p9"))

    assert (found.product_id, found.units) == ("p9", None)


@pytest.mark.parametrize(
    "name", ["time", "timestamp", "eventTime", "event_time", "occurredAt", "updatedAt", "updated_at"]
)
@pytest.mark.parametrize(
    "told",
    [
        "2023-01-02T03:04:05.678Z",
        "2023-01-02t03:04:05.678z",
        "2023-01-02T03:04:05.678999999Z",
        "2023-01-02T05:04:05.678+02:00",
        "2023-01-01T21:34:05.678-05:30",
        1_672_628_645_678,
    ],
)
def test_the_time_is_read_under_every_name(name: str, told: Any) -> None:
    found = read_product_event(product_event({"productId": "p1", "stock": 1, name: told}))

    assert found.at == 1_672_628_645_678


def test_the_time_may_stand_in_a_header() -> None:
    message = product_event({"productId": "p1", "stock": 1}, ce_time="2023-01-02T03:04:05.678Z")

    assert read_product_event(message).at == 1_672_628_645_678


def test_the_message_s_own_time_counts_before_the_header_s() -> None:
    message = product_event({"productId": "p1", "stock": 1, "time": 5}, ce_time="2023-01-02T03:04:05.678Z")

    assert read_product_event(message).at == 5


def test_a_time_well_ahead_is_replaced_by_kafka_s() -> None:
    now = datetime.now(UTC)
    event = {"productId": "p1", "stock": 1}

    near = read_product_event(product_event({**event, "time": (now + timedelta(minutes=4)).isoformat()}))
    far = read_product_event(product_event({**event, "time": (now + timedelta(minutes=6)).isoformat()}))

    assert near.at > time.time() * 1000
    assert far.at == KAFKA_TIME


@pytest.mark.parametrize(
    ("told", "version"),
    [
        ({"version": 3}, 3),
        ({"version": 3.0}, 3),
        ({"sequence": 4}, 4),
        ({"version": 3, "sequence": 4}, 3),
        ({"version": "1.0", "sequence": 4}, 4),
        ({"version": 1, "data": {"sequence": 8}}, 8),
        *(({"version": told}, None) for told in ("1.0", "3", -1, 3.5, True, 2**53, None)),
        ({}, None),
    ],
)
def test_a_version_is_a_number_or_none(told: dict[str, Any], version: int | None) -> None:
    assert read_product_event(product_event({"productId": "p1", "stock": 1, **told})).version == version


@pytest.mark.parametrize(
    "message",
    [
        product_event(raw=b"{broken"),
        product_event(raw=b""),
        product_event(raw=b"\xff\xfe"),
        product_event(raw='{"productId": "p1", "stock": 1}'.encode("utf-16")),
        product_event(raw=b'{"productId": "p1", "stock": 1, "weight": NaN}'),
        product_event(raw=b'{"productId": "p1", "stock": 1, "weight": 1e999}'),
        product_event(raw=b'{"productId": "p1", "stock": ' + b"9" * 5000 + b"}"),
        product_event(raw=b'{"productId": "p1", "stock": 1, "x": ' + b"[" * 200 + b"]" * 200 + b"}"),
        product_event(raw=b'"\\ud800"'),
        product_event(raw=b"[" * 100_000),
        product_event([1]),
        product_event({"stock": 1}),
        product_event({"productId": "a b", "stock": 1}),
        product_event({"productId": "x" * 65, "stock": 1}),
        product_event({"productId": "", "id": "event-1", "stock": 1}),
        product_event({"productId": True, "stock": 1}),
        product_event({"productId": "p1"}),
        product_event({"productId": "p1", "stock": "none", "quantity": 5}),
        *(product_event({"productId": "p1", "stock": level}) for level in (-1, 3.5, True, "5", None, 2**53)),
        product_event({"productId": "p1", "stock": 1, "time": "yesterday"}),
        product_event({"productId": "p1", "stock": 1, "time": "2023-01-02T03:04:05"}),
        product_event({"productId": "p1", "stock": 1, "time": -1}),
        product_event({"productId": "p1", "stock": 1}, ce_time="yesterday"),
        product_event(key=None),
        product_event(key=b"\xff"),
    ],
    ids=range(30),
)
def test_what_can_t_be_read_is_said_so(message: Incoming) -> None:
    with pytest.raises(UnreadableError):
        read_product_event(message)


def test_the_reason_quotes_nothing_of_the_message() -> None:
    with pytest.raises(UnreadableError) as unreadable:
        read_product_event(product_event({"productId": "a secret", "stock": 1}))

    assert "secret" not in str(unreadable.value)


@pytest.mark.parametrize("nest", [None, "user", "data", "payload"])
@pytest.mark.parametrize("name", ["userId", "user_id", "id", "_id"])
def test_a_login_is_read_flat_and_nested(name: str, nest: str | None) -> None:
    told = {name: "u1", "email": "a@example.com", "preferences": {"notifications": False}}

    found = read_login(login({nest: told} if nest else told))

    assert (found.user_id, found.email, found.preferences) == ("u1", "a@example.com", {"notifications": False})


def test_a_login_may_tell_nothing_but_who() -> None:
    found = read_login(login({"userId": "u1"}))

    assert (found.email, found.preferences) == (None, None)


@pytest.mark.parametrize(
    "message",
    [
        login(),
        login(raw=b"null"),
        login({"email": "a@example.com"}),
        login({"userId": "all"}),
        login({"userId": "u1", "email": 5}),
        login({"userId": "u1", "email": ""}),
        login({"userId": "u1", "email": "a" * 321}),
        login({"userId": "create"}),
        login({"userId": "u1", "preferences": json.loads('{"x":' * 200 + "1" + "}" * 200)}),
        login({"userId": "u1", "preferences": [1]}),
    ],
    ids=range(10),
)
def test_a_login_that_can_t_be_read_is_said_so(message: Incoming) -> None:
    with pytest.raises(UnreadableError):
        read_login(message)
