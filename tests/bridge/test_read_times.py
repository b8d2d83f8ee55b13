"""When something happened, by the event itself where it says so, else by Kafka."""

import time
from typing import Any

import pytest

from bridge.incoming import Headers
from bridge.shapes import UnreadableError, read_product_event
from tests.bridge.messages import ARRIVED, NOW, message

NOON = 1_763_121_600_000
"""2025-11-14T12:00:00Z."""


def at(headers: Headers = (), **told: Any) -> int:
    return read_product_event(message({"productId": "p-1", "stock": 5, **told}, headers=headers)).at


@pytest.mark.parametrize(
    "name",
    ["time", "timestamp", "eventTime", "event_time", "occurredAt", "occurred_at", "updatedAt", "updated_at"],
)
def test_every_name_of_the_time_is_read(name: str) -> None:
    assert at(**{name: "2025-11-14T12:00:00Z"}) == NOON


@pytest.mark.parametrize(
    ("told", "milliseconds"),
    [
        ("2025-11-14T12:00:00Z", NOON),
        ("2025-11-14t12:00:00z", NOON),
        ("2025-11-14 12:00:00Z", NOON),
        ("2025-11-14T12:00:00+00:00", NOON),
        ("2025-11-14T12:00:00-00:00", NOON),
        ("2025-11-14T13:30:00+01:30", NOON),
        ("2025-11-14T02:00:00-10:00", NOON),
        ("2025-11-14T12:00:00.5Z", NOON + 500),
        ("2025-11-14T12:00:00.123Z", NOON + 123),
        ("2025-11-14T12:00:00.123999999Z", NOON + 123),
        (NOON + 123, NOON + 123),
        (NOON + 123.9, NOON + 123),
        (0, 0),
    ],
)
def test_a_time_is_rfc_3339_in_any_zone_or_milliseconds(told: object, milliseconds: int) -> None:
    assert at(time=told) == milliseconds


@pytest.mark.parametrize(
    "told",
    [
        "",
        "noon",
        "2025-11-14",
        "2025-11-14T12:00:00",
        "2025-13-14T12:00:00Z",
        "1763121600000",
        -1,
        True,
        [NOON],
        {},
        1e300,
    ],
)
def test_a_wrong_time_cannot_be_read(told: object) -> None:
    with pytest.raises(UnreadableError, match="time"):
        at(time=told)


def test_without_a_time_kafkas_counts() -> None:
    assert at() == at(time=None) == ARRIVED


def test_the_header_of_cloud_events_tells_the_time() -> None:
    assert at(headers=(("ce_time", b"2025-11-14T12:00:00Z"),)) == NOON


def test_the_message_counts_before_the_header() -> None:
    assert at(headers=(("ce_time", b"2025-11-14T13:00:00Z"),), time=NOON) == NOON


@pytest.mark.parametrize("raw", [b"", b"noon", b"\xff\xfe", b"2025-11-14T12:00:00"])
def test_a_wrong_time_in_the_header_cannot_be_read(raw: bytes) -> None:
    with pytest.raises(UnreadableError, match="time"):
        at(headers=(("ce_time", raw),))


def test_a_header_without_a_value_tells_nothing() -> None:
    assert at(headers=(("ce_time", None),)) == ARRIVED


def test_a_header_tells_when_a_tombstone_was_written() -> None:
    tombstone = message(None, key=b"p-1", headers=(("ce_time", b"2025-11-14T12:00:00Z"),))

    assert read_product_event(tombstone).at == NOON


def test_a_time_more_than_five_minutes_ahead_is_replaced_by_kafkas() -> None:
    ahead = int(time.time() * 1000) + 5 * 60 * 1000

    assert at(time=ahead + 5_000) == ARRIVED
    assert at(time="2999-01-01T00:00:00Z") == ARRIVED


def test_a_time_a_little_ahead_is_believed() -> None:
    assert at(time=NOW + 4 * 60 * 1000) == NOW + 4 * 60 * 1000


def test_the_outermost_time_is_the_events_own() -> None:
    assert at(time=NOON, product={"time": 1, "updatedAt": 2}) == NOON
