"""One run of one contestant on servers of its own: load, then the books, which must add up."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pymongo
import redis

from bench import checks, order_requests, usage
from bench.contestants import Contestant
from bench.http_load import LONGEST, Answer, Load, closed_loop, open_loop
from bench.order_requests import CUSTOMERS, PRODUCTS, UNITS
from bench.peer_processes import running
from bench.servers import Servers, servers
from bench.session import Session
from bench.topic_log import TopicLog
from local.ports import free_port
from local.processes import Child
from tasks.topics import OUTGOING

FINISH_SECONDS = 120.0
"""How long nothing may come onto Kafka while accepted orders are missing there."""


@dataclass
class Trial:
    """A contestant on its servers, and everything that it was asked since it started."""

    contestant: Contestant
    session: Session
    servers: Servers
    logs: Path
    redis: "redis.Redis"
    mongo: "pymongo.MongoClient[dict[str, object]]"
    topics: dict[str, TopicLog]
    port: int = field(default_factory=free_port)
    products: list[str] = field(default_factory=lambda: PRODUCTS)
    customers: int = CUSTOMERS
    accepted: list[str] = field(default_factory=list)
    refused: Counter[int] = field(default_factory=Counter)
    children: list[Child] = field(default_factory=list)
    _before: dict[str, int] = field(default_factory=dict)
    _last: str = ""

    @contextmanager
    def running(self, commands: Sequence[str] | None = None, *, api: bool = True) -> Iterator[None]:
        """Have the contestant's processes (or those of these commands, with an API or without) in this block."""
        self.tell("starting")
        variables = {**self.servers.variables(), **self.contestant.environment}
        commands = commands or self.contestant.commands
        with running(self.contestant.peer, self.port, variables, self.logs, commands, api=api) as self.children:
            usage.wait_until_idle(self.pids())
            yield

    def tell(self, what: str) -> None:
        """Show what is being done."""
        self.session.tell(f"{self.contestant.name}: {what}")

    def pids(self) -> dict[str, int]:
        """Return the first process of each part."""
        return {usage.part(child.name): child.pid for child in self.children}

    def stock(self) -> None:
        """Give the products that have no stock plenty of it, and note how things stand."""
        with self.redis.pipeline() as pipeline:
            for product in self.products:
                pipeline.setnx(f"product:{product}:stock", UNITS)
            pipeline.execute()
        self._before = self._levels()
        newest = self.mongo["orders"]["orders"].find_one({}, {"_id": 1}, sort=[("_id", -1)])
        self._last = str(newest["_id"]) if newest else ""

    def warm(self, connections: int = 64) -> None:
        """Have connections, code and Kafka's Java warm, and nothing left to do."""
        self.tell("warming up")
        self.post(connections, self.session.scale.warm)
        self.settle()

    def post(self, connections: int, seconds: float = LONGEST, count: int | None = None) -> Load:
        """Post orders, each connection one after the other."""
        requests = order_requests.creates(self.products, self.customers)
        return self._noted(closed_loop(self.port, requests, connections, seconds=seconds, count=count))

    def post_at(self, rate: float, seconds: float) -> Load:
        """Post orders at a fixed rate."""
        return self._noted(open_loop(self.port, order_requests.creates(self.products), rate, seconds))

    def _noted(self, load: Load) -> Load:
        self.refused.update(order_requests.refusals(load))
        self.accepted += [order_id for order_id, _ in accepted_in(load)]
        return load

    def settle(self) -> dict[str, float]:
        """Wait until all accepted orders are on Kafka; return when each was (s since 1970)."""
        self.tell("waiting for what was accepted")
        if not self.accepted or self.refused:
            raise checks.WrongBooksError(
                f"{len(self.accepted)} orders were accepted; other answers: {dict(self.refused)}"
            )
        log = self.topics["order_created"]
        seen, deadline = -1, 0.0
        while (count := log.count()) < len(self.accepted) or not self._all_in(log):
            if count != seen:
                seen, deadline = count, time.monotonic() + FINISH_SECONDS
            if time.monotonic() > deadline:
                raise checks.WrongBooksError(f"{count} of {len(self.accepted)} accepted orders are on Kafka")
            time.sleep(0.05)
        arrived: dict[str, float] = {}
        for arrival in log.arrivals:
            arrived.setdefault(arrival.key, arrival.at)
        return arrived

    def _all_in(self, log: TopicLog) -> bool:
        return {arrival.key for arrival in log.read()}.issuperset(self.accepted)

    def check(self) -> None:
        """Check the books.

        Raises
        ------
        checks.WrongBooksError
            where an order was lost or doubled, or the stock does not add up.

        """
        self.tell("checking the books")
        time.sleep(0.5)  # for what comes a second time
        stored: Counter[str] = Counter()
        ordered: Counter[str] = Counter()
        for order in self.mongo["orders"]["orders"].find({"_id": {"$gt": self._last}}, {"items": 1}):
            stored[str(order["_id"])] += 1
            for item in order["items"]:  # type: ignore[attr-defined]
                ordered[item["productId"]] += item["quantity"]
        after = self._levels()
        taken = Counter({product: self._before[product] - after[product] for product in self.products})
        announced = Counter(arrival.key for arrival in self.topics["order_created"].read())
        unasked = {topic: self.topics[topic].count() for topic in ("order_updated", "order_deleted")}
        checks.check(checks.Books(self.accepted, stored, announced, ordered, taken, self.refused, unasked))

    def _levels(self) -> dict[str, int]:
        levels = self.redis.mget([f"product:{product}:stock" for product in self.products])
        return {product: int(level or 0) for product, level in zip(self.products, levels, strict=True)}


@contextmanager
def trial(
    contestant: Contestant, session: Session, folder: Path | None = None, products: list[str] | None = None
) -> Iterator[Trial]:
    """Have a trial whose servers run and whose contestant does not yet; on the data in `folder`, else on none."""
    session.tell(f"{contestant.name}: starting the servers")
    with ExitStack() as stack:
        folder = folder or stack.enter_context(session.room())
        found = stack.enter_context(servers(folder))
        logs = session.fresh_logs()
        client = stack.enter_context(redis.Redis(port=found.redis_server.port, decode_responses=True))
        mongo: pymongo.MongoClient[dict[str, object]] = pymongo.MongoClient(found.mongod.uri)
        stack.callback(mongo.close)
        topics = {topic: TopicLog(found.kafka.bootstrap, topic) for topic in OUTGOING}
        for log in topics.values():
            stack.callback(log.close)
        begun = Trial(contestant, session, found, logs, client, mongo, topics, products=products or PRODUCTS)
        begun.stock()
        yield begun


def accepted_in(load: Load) -> list[tuple[str, Answer]]:
    """Return the orders that a load had accepted: their ids, and what was answered when."""
    return [(order_requests.order_id(answer.body), answer) for answer in load.answers if answer.status in {201, 202}]
