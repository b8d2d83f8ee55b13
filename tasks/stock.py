"""The tasks of the stock ledger: levels as they come, and what beat tidies up."""

import logging
from collections.abc import Sequence
from typing import Any

from models.connections import orders, redis_client
from models.stock import Level, Stock
from settings import settings
from tasks import app, levels_read, unstored
from tasks.kept import Kept, KeptTask, carry_out
from tasks.stores import SERVER_TIMEOUT, now

_log = logging.getLogger(__name__)


def set_levels(group: Sequence[Kept], redelivered: bool) -> tuple[list[str], float]:
    """Store the levels of a group; see `Together`."""
    return carry_out(_set, group, redelivered)


def _set(group: Sequence[Kept]) -> None:
    newest = Stock(redis_client(SERVER_TIMEOUT)).set_levels([kept.told for kept in group])
    for kept, is_newest in zip(group, newest, strict=True):
        if not is_newest:
            _log.info("product %s: a level of %d is superseded", kept.told.product_id, kept.told.at)


class LevelTask(KeptTask):
    """A task that tells one level."""

    tells = Level
    together = staticmethod(set_levels)


@app.task(bind=True, base=LevelTask, name="set_stock_level", ignore_result=True)
def set_stock_level(self: LevelTask, /, **told: Any) -> None:
    """Store a product's level (the fields of `Level`), unless something newer is known; settle what it includes."""
    _set([Kept(str(self.request.id), Level(**told), "")])


@app.task(name="settle_quiet_products", ignore_result=True)
def settle_quiet_products() -> None:
    """Settle the holds of products whose level is the last word, as far as all levels are known here."""
    if settings().stock_settle == "named":
        return
    client = redis_client(SERVER_TIMEOUT)
    read_until = levels_read.until(client, settings().kafka_broker, settings().kafka_group, now())
    if read_until is not None and (settled := Stock(client).settle_quiet(read_until)):
        _log.info("quiet products: %d holds settled", settled)


@app.task(name="undo_unstored_movements", ignore_result=True)
def undo_unstored_movements() -> None:
    """Give back what tasks took that have ended without storing their transition."""
    client = redis_client(SERVER_TIMEOUT)
    unstored.undo(client, Stock(client), orders(SERVER_TIMEOUT))
