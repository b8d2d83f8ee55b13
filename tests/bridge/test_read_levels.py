"""Stock levels and removals in the shapes in which product services send them."""

import json
from typing import Any

import pytest

from bridge.incoming import Headers
from bridge.shapes import UnreadableError, read_product_event
from models.stock import Level
from tests.bridge.messages import ARRIVED, message

SHAPES: list[dict[str, Any]] = [
    *[{name: "p-1", "stock": 5} for name in ("productId", "product_id", "id", "_id", "sku")],
    *[{"productId": "p-1", name: 5} for name in ("stock", "quantity", "available", "inventory")],
    *[{nest: {"productId": "p-1", "stock": 5}} for nest in ("product", "data", "payload")],
    *[{"productId": "p-1", nest: {"stock": 5}} for nest in ("product", "data", "payload")],
    *[{"stock": 5, nest: {"sku": "p-1"}} for nest in ("product", "data", "payload")],
    {"data": {"product": {"_id": "p-1", "inventory": 5}}},
    {"payload": {"data": {"product": {"id": "p-1"}, "available": 5}}},
    {"productId": "p-1", "stock": 5.0},
    {"productId": "p-1", "stock": 5, "name": "Lamp", "price": {"amount": "3.50"}, "tags": ["new", None]},
    {"id": "event-9", "type": "stock.changed", "product": {"id": "p-1", "stock": 5}},
    {"id": "row-9", "productId": "p-1", "stock": 5},
    {"productId": "p-1", "data": {"id": "row-9", "stock": 5}},
    {"productId": None, "id": "p-1", "stock": None, "quantity": 5},
    {"product": "Lamp", "data": ["x"], "payload": {"productId": "p-1", "stock": 5}},
]


@pytest.mark.parametrize("value", SHAPES, ids=json.dumps)
def test_a_level_is_read_from_every_shape(value: dict[str, Any]) -> None:
    assert read_product_event(message(value)) == Level("p-1", 5, None, ARRIVED, "product_events/2", 7)


@pytest.mark.parametrize("units", [0, 1, 2**53 - 1])
def test_a_level_is_any_whole_number_from_zero(units: int) -> None:
    assert read_product_event(message({"productId": "p-1", "stock": units})).units == units


@pytest.mark.parametrize(("told", "product_id"), [(42, "42"), (0, "0"), ("a.B_c:d-9", "a.B_c:d-9")])
def test_an_id_is_a_text_or_a_whole_number(told: object, product_id: str) -> None:
    assert read_product_event(message({"productId": told, "stock": 1})).product_id == product_id


class TestACloudEventsEnvelope:
    ENVELOPE = {"specversion": "1.0", "id": "event-9", "source": "/products", "type": "com.shop.product.stock"}

    def test_has_an_id_of_its_own_that_is_not_the_products(self) -> None:
        level = read_product_event(message({**self.ENVELOPE, "data": {"id": "p-1", "stock": 5}}))

        assert (level.product_id, level.units) == ("p-1", 5)

    def test_without_a_product_is_not_taken_for_one(self) -> None:
        with pytest.raises(UnreadableError, match="no id"):
            read_product_event(message({**self.ENVELOPE, "data": {"stock": 5}}))

    def test_tells_the_time_of_the_event(self) -> None:
        envelope = {**self.ENVELOPE, "time": "2025-11-14T12:00:00Z"}

        level = read_product_event(message({**envelope, "data": {"productId": "p-1", "stock": 5, "updatedAt": 1}}))

        assert level.at == 1_763_121_600_000

    def test_can_tell_of_a_deletion(self) -> None:
        deleted = {**self.ENVELOPE, "type": "com.shop.product.deleted.v1"}

        level = read_product_event(message({**deleted, "data": {"productId": "p-1"}}))

        assert (level.product_id, level.units) == ("p-1", None)


class TestARemoval:
    @pytest.mark.parametrize("kind", ["deleted", "product.deleted", "ProductDeleted", "PRODUCT_DELETED"])
    @pytest.mark.parametrize("more", [{}, {"stock": 5}, {"stock": "none"}])
    def test_is_a_type_that_contains_deleted(self, kind: str, more: dict[str, Any]) -> None:
        level = read_product_event(message({"type": kind, "productId": "p-1", **more}))

        assert level == Level("p-1", None, None, ARRIVED, "product_events/2", 7)

    def test_is_a_null_value_and_names_the_product_in_its_key(self) -> None:
        level = read_product_event(message(None, key=b"p-1"))

        assert level == Level("p-1", None, None, ARRIVED, "product_events/2", 7)

    @pytest.mark.parametrize("key", [None, b"", b"\xff\xfe", b"a product", b"p" * 65])
    def test_without_a_product_in_its_key_cannot_be_read(self, key: bytes | None) -> None:
        with pytest.raises(UnreadableError, match="no id"):
            read_product_event(message(None, key=key))

    def test_may_say_so_in_a_cloud_events_header(self) -> None:
        headers: Headers = (("ce_specversion", b"1.0"), ("ce_type", b"com.shop.product.deleted"))

        assert read_product_event(message({"id": "p-1", "type": "lamp", "stock": 5}, headers=headers)).units is None

    def test_has_a_version_where_it_tells_one(self) -> None:
        assert read_product_event(message({"type": "deleted", "id": "p-1", "version": 9})).version == 9


@pytest.mark.parametrize(
    ("value", "version"),
    [
        ({"version": 3}, 3),
        ({"version": 3.0}, 3),
        ({"version": 0}, 0),
        ({"sequence": 4}, 4),
        ({"version": 3, "sequence": 4}, 3),
        ({"version": "1.0", "sequence": 4}, 4),
        ({"version": 1, "data": {"version": 8}}, 8),
        ({"version": 1, "data": {"sequence": 8}}, 8),
        *[({"version": told}, None) for told in (None, "1.0", "3", -1, 3.5, True, 2**53, [3])],
    ],
)
def test_a_version_is_the_innermost_whole_number(value: dict[str, Any], version: int | None) -> None:
    assert read_product_event(message({"productId": "p-1", "stock": 5, **value})).version == version


NOT_JSON = [
    b"",
    b"{",
    b"stock: 5",
    b'{"productId": "p-1", "stock": 5',
    b"{'productId': 'p-1', 'stock': 5}",
    b'{"productId": "p-1", "stock": 5} and more',
    '{"productId": "p-1", "stock": 5}'.encode("utf-16"),
    '{"productId": "p-1", "stock": 5, "name": "Tür"}'.encode("latin-1"),
    b'{"productId": "p-1", "stock": 5, "name": "\\ud800"}',
    b'{"productId": "p-1", "stock": NaN}',
    b'{"productId": "p-1", "stock": 5, "weight": Infinity}',
    b'{"productId": "p-1", "stock": 5, "weight": 1e999}',
    b'{"productId": "p-1", "stock": ' + b"9" * 5000 + b"}",
    b"[" * 100_000 + b"]" * 100_000,
]


@pytest.mark.parametrize("value", NOT_JSON, ids=lambda value: repr(value[:50]))
def test_what_is_not_json_in_utf_8_cannot_be_read(value: bytes) -> None:
    with pytest.raises(UnreadableError, match="not JSON"):
        read_product_event(message(value))


@pytest.mark.parametrize("value", [b"null", b"5", b"true", b'"p-1"', b"[]", b'[{"productId": "p-1", "stock": 5}]'])
def test_what_is_no_object_cannot_be_read(value: bytes) -> None:
    with pytest.raises(UnreadableError, match="no JSON object"):
        read_product_event(message(value))


@pytest.mark.parametrize(
    "ids",
    [
        {},
        {"productId": None},
        *[{"productId": told} for told in ("", " ", "a b", "ü", "p" * 65, "p\n", True, 1.5, [], {})],
    ],
)
def test_an_id_that_is_missing_or_none_cannot_be_read(ids: dict[str, Any]) -> None:
    with pytest.raises(UnreadableError, match="no id"):
        read_product_event(message({"stock": 5, **ids}))


def test_a_wrong_product_id_is_not_replaced_by_another_id() -> None:
    with pytest.raises(UnreadableError, match="no id"):
        read_product_event(message({"productId": "", "id": "event-9", "stock": 5}))


@pytest.mark.parametrize(
    "level",
    [
        {},
        {"stock": None},
        *[{"stock": told} for told in (-1, -0.5, 3.5, True, False, "5", "", [5], {"on": 5}, 2**53, 1e300)],
    ],
    ids=json.dumps,
)
def test_a_level_that_is_no_whole_number_cannot_be_read(level: dict[str, Any]) -> None:
    with pytest.raises(UnreadableError, match="no whole number"):
        read_product_event(message({"productId": "p-1", **level}))


def test_a_wrong_level_is_not_replaced_by_another_number() -> None:
    with pytest.raises(UnreadableError, match="no whole number"):
        read_product_event(message({"productId": "p-1", "stock": "none", "quantity": 5}))


def test_what_is_nested_too_deeply_cannot_be_read() -> None:
    with pytest.raises(UnreadableError, match="nested"):
        read_product_event(message(b'{"productId": "p-1", "stock": 5, "x": ' + b"[" * 200 + b"]" * 200 + b"}"))


def test_the_reason_quotes_nothing_of_the_message() -> None:
    with pytest.raises(UnreadableError) as unreadable:
        read_product_event(message({"productId": "a secret", "stock": 5}))

    assert "secret" not in str(unreadable.value)
