"""Orders put straight into MongoDB, as the service would have stored them: an archive to list and page through."""

from datetime import UTC, datetime, timedelta
from typing import Any

from bson.decimal128 import Decimal128

from models.ids import new_id
from tests.api.contract import STATUSES

OLDEST = datetime(2026, 1, 1, tzinfo=UTC)


def stored_order(number: int, **more: Any) -> dict[str, Any]:
    """Return the raw document of the archive's order with this number; higher ones are newer."""
    at = OLDEST + timedelta(minutes=number)
    status = STATUSES[number % len(STATUSES)]
    order_id = new_id(int(at.timestamp() * 1000))
    return {
        "_id": order_id,
        "userId": f"user-{number % 3}",
        "items": [{"productId": "p", "quantity": 2, "unitPrice": Decimal128("1.50")}],
        "currency": "USD",
        "total": Decimal128("3.00"),
        "status": status,
        "shippingAddress": None,
        "note": f"{number}",
        "metadata": None,
        "version": 1,
        "createdAt": at,
        "updatedAt": at,
        "timeline": [{"version": 1, "status": status, "at": at, "taskId": order_id, "change": "created"}],
        "outbox": [],
        **more,
    }


def tombstone(number: int) -> dict[str, Any]:
    """Return the raw document of a deleted order."""
    return stored_order(number, deletedAt=OLDEST + timedelta(days=9))
