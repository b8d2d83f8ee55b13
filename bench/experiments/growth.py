"""The same throughput where very many orders are stored, spread over products or all of one, and where none is."""

from functools import partial
from pathlib import Path

from bench.contestants import OURS, Contestant
from bench.experiments.throughput import saturate
from bench.order_requests import PRODUCTS
from bench.peer_processes import SERVICE
from bench.preload import preload
from bench.servers import servers
from bench.session import Session
from bench.trial import trial

STORED = Contestant("many orders stored", SERVICE)
ONE_PRODUCT = Contestant("many orders of one product", SERVICE)
CONTESTANTS = (OURS, STORED, ONE_PRODUCT)


def measure(contestant: Contestant, session: Session) -> dict[str, float]:
    """Post orders of all products, or of the one; what was stored beforehand is stored once and used by all runs."""
    products = PRODUCTS[:1] if contestant == ONE_PRODUCT else PRODUCTS
    folder = None
    if contestant != OURS:
        folder = session.kept(contestant.name, partial(_stored, session, products))
    with trial(contestant, session, folder, products) as run, run.running():
        run.warm(session.scale.connections)
        figures = saturate(run)
        run.check()
    return figures


def _stored(session: Session, products: list[str], folder: Path) -> None:
    with servers(folder) as found:
        preload(found, session.scale.many, products, session.tell)
