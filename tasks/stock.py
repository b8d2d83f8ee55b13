"""The task that stores stock levels."""

import logging

from models.connections import redis_client
from models.stock import Level, Stock
from tasks import app
from tasks.commit import SERVER_TIMEOUT
from tasks.kept import KeptTask
from tasks.patience import persist

_log = logging.getLogger(__name__)


@app.task(base=KeptTask, name="set_stock_level", ignore_result=True)
def set_stock_level(
    *, product_id: str, units: int | None, version: int | None, at: int, source: str, offset: int
) -> None:
    """Store a product's level, or remove the product (`units` None), unless something newer is known."""
    level = Level(product_id, units, version, at, source, offset)
    if not persist(lambda: Stock(redis_client(SERVER_TIMEOUT)).set_level(level)):
        _log.info("product %s: a level of %d is superseded", product_id, at)
