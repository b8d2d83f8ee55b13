"""What tests of the HTTP contract start from: a user, a product that never runs out, and an order of it."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.client import Client
from tests.processes import Servers, Service, eventually
from tests.topics import Topics


@pytest.fixture(scope="session")
def product(shop: Service, topics: Topics, servers: Servers) -> str:
    """A product for tests that are not about stock."""
    topics.level("plenty", 1_000_000_000)
    eventually(lambda: servers.redis_client().get("product:plenty:stock"))
    return "plenty"


@pytest.fixture
def user(unique: Callable[[str], str]) -> str:
    return unique("user")


@pytest.fixture
def order(api: Client, user: str, product: str) -> dict[str, Any]:
    """A confirmed order of two units at 1.50, with a note."""
    return api.create(user, {"productId": product, "quantity": 2, "unitPrice": "1.50"}, note="first")
