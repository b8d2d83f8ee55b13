"""The orders in MongoDB."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

from bson.codec_options import TypeCodec, TypeRegistry
from bson.decimal128 import Decimal128
from pymongo import AsyncMongoClient
from pymongo.asynchronous.cursor import AsyncCursor
from pymongo.asynchronous.database import AsyncDatabase

from order_service.schemas import Order

_NEWEST_FIRST = {"_id": -1}


class _DecimalCodec(TypeCodec):
    """Amounts are Decimal here and Decimal128 in MongoDB, never floats."""

    python_type = Decimal
    bson_type = Decimal128

    def transform_python(self, value: Decimal) -> Decimal128:
        return Decimal128(value)

    def transform_bson(self, value: Decimal128) -> Decimal:
        return value.to_decimal()


def mongo_client(uri: str) -> AsyncMongoClient[dict[str, Any]]:
    """Return a client whose writes are on disk, on most members, when they are acknowledged."""
    return AsyncMongoClient(
        uri, w="majority", journal=True, tz_aware=True, type_registry=TypeRegistry([_DecimalCodec()])
    )


class Orders:
    """The collection of orders."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._collection = database.get_collection("orders")

    async def make_indexes(self) -> None:
        """Make the index for the orders of a user, newest first."""
        await self._collection.create_index({"userId": 1, "_id": -1})

    async def add(self, order: Order) -> None:
        """Store a new order."""
        fields = order.model_dump(by_alias=True, exclude={"order_id"})
        await self._collection.insert_one({"_id": order.order_id, **fields})

    async def find(self, order_id: str) -> Order | None:
        """Return one order."""
        document = await self._collection.find_one({"_id": order_id})
        return None if document is None else Order.model_validate(document)

    async def newest(self, limit: int) -> list[Order]:
        """Return the newest orders."""
        return await _all(self._collection.find().sort(_NEWEST_FIRST).limit(limit))

    async def of_user(self, user_id: str) -> list[Order]:
        """Return a user's orders, newest first."""
        return await _all(self._collection.find({"userId": user_id}).sort(_NEWEST_FIRST))

    async def each(self) -> AsyncIterator[Order]:
        """Yield all orders, newest first; there may be millions."""
        async for document in self._collection.find().sort(_NEWEST_FIRST):
            yield Order.model_validate(document)


async def _all(cursor: AsyncCursor[dict[str, Any]]) -> list[Order]:
    return [Order.model_validate(document) for document in await cursor.to_list()]
