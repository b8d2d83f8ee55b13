"""Stock levels in Redis: set by product events, taken by orders, given back when an order could not be stored."""

from collections.abc import Sequence
from pathlib import Path

from redis.asyncio import Redis

from order_service.problems import ProblemError
from order_service.schemas import ItemRequest

_SCRIPT = Path(__file__).with_name("take_stock.lua").read_text()
_TITLES = {"unknown-product": "There is no such product", "insufficient-stock": "There is not enough stock"}


def _key(product_id: str) -> str:
    return f"product:{product_id}:stock"


class Stock:
    """How many units of each product can be ordered."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._take = redis.register_script(_SCRIPT)

    async def take(self, items: Sequence[ItemRequest]) -> None:
        """Take the units of all items, or of none and raise a ProblemError."""
        keys = [_key(item.product_id) for item in items]
        refusal = await self._take(keys=keys, args=[item.quantity for item in items])
        if refusal:
            kind, place = refusal
            raise ProblemError(409, kind, _TITLES[kind], productId=items[place - 1].product_id)

    async def give_back(self, items: Sequence[ItemRequest]) -> None:
        """Give back what `take` took."""
        async with self._redis.pipeline() as transaction:
            for item in items:
                transaction.incrby(_key(item.product_id), item.quantity)
            await transaction.execute()

    async def set(self, product_id: str, level: int) -> None:
        """Store a product's level."""
        await self._redis.set(_key(product_id), level)

    async def remove(self, product_id: str) -> None:
        """Forget a product that is gone."""
        await self._redis.delete(_key(product_id))
