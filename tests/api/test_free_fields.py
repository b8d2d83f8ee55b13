"""note, shippingAddress and metadata: the customer's own, kept as they are within their bounds."""

import json
from typing import Any

import pytest

from tests.api.contract import pointers
from tests.client import Client

STRANGE: dict[str, dict[str, Any]] = {
    "nothing": {},
    "a dot": {"a.b": 1, ".": 2, "a": {"b": 3}},
    "a dollar": {"$x": 1, "$set": {"$inc": 2}, "$": 3},
    "names of MongoDB": {"_id": 1, "$id": 2, "$db": "x", "$date": 0, "$numberLong": "7"},
    "half a reference": {"a": {"$ref": "orders"}, "b": {"$ref": 1, "$id": 2}},
    "no name": {"": 1},
    "a long name": {"k" * 1000: "v"},
    "names of ours": {"version": 9, "status": "shipped", "orderId": "x", "__proto__": {"a": 1}},
    "a template": {"predecessor": None, "text": '"predecessor": null'},
    "types of kombu": {"__type__": "datetime", "__value__": "x", "a": {"__type__": "unknown", "__value__": 1}},
    "a NUL in a text": {"a": "x\0y"},
    "the largest integers": {"a": [2**63 - 1, -(2**63) + 1, 0]},
    "fractions": {"a": [0.1, 1e22, 1.0, -2.5e-7]},
    "all of JSON": {"a": [None, True, False, 1, 1.5, "x", [], {}, [[[]]]]},
    "32 levels": json.loads('{"a":' * 31 + "[1]" + "}" * 31),
}

TOO_MUCH: dict[str, tuple[str, str]] = {
    "metadata that is a list": ("metadata", "[]"),
    "metadata that is a text": ("metadata", '"x"'),
    "metadata of more than 16 KiB": ("metadata", '{"a":"%s"}' % ("x" * (16 * 1024 - 7))),
    "metadata of few characters and many bytes": ("metadata", '{"a":"%s"}' % ("é" * (8 * 1024))),
    "a NUL in a name": ("metadata", r'{"a":{"x\u0000":1}}'),
    "an integer of more than 64 bits": ("metadata", '{"a":[9223372036854775808]}'),
    "a number beyond a double": ("metadata", '{"a":1e400}'),
    "what MongoDB would take for a reference": ("metadata", '{"a":[{"$ref":"x","$id":1}]}'),
    "33 levels": ("metadata", '{"a":' * 32 + "[]" + "}" * 32),
    "900 levels": ("metadata", '{"a":' + "[" * 900 + "]" * 900 + "}"),
    "a note of 2,001 characters": ("note", '"%s"' % ("n" * 2001)),
    "a note that is a number": ("note", "1"),
    "an address of more than 4 KiB": ("shippingAddress", '{"a":"%s"}' % ("x" * (4 * 1024 - 7))),
    "an address that is a text": ("shippingAddress", '"Main Street 1"'),
    "an address that MongoDB would take for a reference": ("shippingAddress", '{"$ref":"x","$id":"1"}'),
    "a NUL in an address' name": ("shippingAddress", r'{"x\u0000":"1"}'),
}


@pytest.mark.parametrize("metadata", STRANGE.values(), ids=STRANGE)
def test_metadata_comes_back_as_it_was_given(api: Client, user: str, product: str, metadata: dict[str, Any]) -> None:
    created = api.create(user, {"productId": product, "quantity": 1}, metadata=metadata)
    api.accepted("PUT", f"/order/{created['orderId']}", {"metadata": {"other": 1}})
    updated = api.write("PUT", f"/order/{created['orderId']}", {"metadata": metadata})["order"]

    assert created["metadata"] == updated["metadata"] == metadata
    assert api.get(f"/order/{user}").json()[0]["metadata"] == metadata


@pytest.mark.parametrize(("field", "value"), TOO_MUCH.values(), ids=TOO_MUCH)
def test_what_is_out_of_bounds_is_refused_on_create_and_on_update(api: Client, field: str, value: str) -> None:
    order = f'{{"userId":"u","productId":"p","quantity":1,"{field}":{value}}}'
    json_header = {"Content-Type": "application/json"}

    created = api.call("POST", "/order/create", data=order.encode(), headers=json_header)
    updated = api.call("PUT", "/order/nobody", data=f'{{"{field}":{value}}}'.encode(), headers=json_header)

    assert pointers(created) == pointers(updated) == {f"/{field}"}


def test_an_address_is_of_strings_alone(api: Client) -> None:
    address = {"street": "Main Street", "number": 1, "door": None}
    order = {"userId": "u", "productId": "p", "quantity": 1, "shippingAddress": address}

    assert pointers(api.call("POST", "/order/create", order)) == {"/shippingAddress/number", "/shippingAddress/door"}


def test_the_bounds_themselves_are_allowed(api: Client, user: str, product: str) -> None:
    largest: dict[str, Any] = {
        "note": "🦀" * 2000,
        "metadata": {"a": "x" * (16 * 1024 - 8)},
        "shippingAddress": {"a": "é" * (2 * 1024 - 4)},
    }

    order = api.create(user, {"productId": product, "quantity": 1}, **largest)

    assert {name: order[name] for name in largest} == largest
