"""The requests of a load, made beforehand: orders of one unit by many customers, and what their answers say."""

import json
import re
from collections.abc import Iterator
from itertools import cycle

from bench.http_load import Load

CUSTOMERS = 1000
PRODUCTS = [f"product-{number}" for number in range(100)]
UNITS = 100_000_000
"""What there is of each product before anything is ordered."""

_ORDER_ID = re.compile(rb'"orderId"\s*:\s*"([^"]+)"')
_HOST = b"Host: 127.0.0.1\r\n"


def customer(number: int) -> str:
    """Return a customer's id."""
    return f"customer-{number}"


def creates(products: list[str] = PRODUCTS, customers: int = CUSTOMERS) -> Iterator[bytes]:
    """Return creates without end; customers come by turns, so that N * `customers` creates are N orders of each."""
    return cycle([_create(customer(turn), products[turn * 13 % len(products)]) for turn in range(customers)])


def order(user_id: str, product_id: str) -> dict[str, object]:
    """Return the body of a create."""
    return {
        "userId": user_id,
        "items": [{"productId": product_id, "quantity": 1, "unitPrice": "19.90"}],
        "shippingAddress": {"name": "Ada Lovelace", "street": "12 St James's Square", "city": "London"},
    }


def _create(user_id: str, product_id: str) -> bytes:
    body = json.dumps(order(user_id, product_id)).encode()
    head = b"POST /order/create HTTP/1.1\r\n%bContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % (_HOST, len(body)) + body


def get(path: str) -> bytes:
    """Return a GET."""
    return b"GET %b HTTP/1.1\r\n%b\r\n" % (path.encode(), _HOST)


def order_id(body: bytes) -> str:
    """Return the first order's id in an answer."""
    found = _ORDER_ID.search(body)
    assert found is not None, f"no order in {body[:200]!r}"
    return found[1].decode()


def orders_in(body: bytes) -> int:
    """Return how many orders an answer shows."""
    return len(_ORDER_ID.findall(body))


def refusals(load: Load) -> dict[int, int]:
    """Return how often which status was answered but 200, 201 and 202."""
    found: dict[int, int] = {}
    for answer in load.answers:
        if answer.status not in {200, 201, 202}:
            found[answer.status] = found.get(answer.status, 0) + 1
    return found
