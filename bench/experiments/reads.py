"""Lists: the newest 100 orders of all, and the 10 orders of a user, which have `user_orders` published behind them."""

import time
from itertools import cycle

from bench.checks import WrongBooksError
from bench.contestants import Contestant
from bench.http_load import Load, closed_loop
from bench.order_requests import customer, get
from bench.session import Session
from bench.trial import FINISH_SECONDS, Trial, trial

CUSTOMERS = 200
ORDERS_EACH = 10
CONNECTIONS = 16
PAGE = 100


def measure(contestant: Contestant, session: Session) -> dict[str, float]:
    """Have orders made, then read them in both ways, each answer counted."""
    with trial(contestant, session) as run, run.running():
        run.customers = CUSTOMERS
        run.tell("making orders")
        run.post(CONNECTIONS, count=CUSTOMERS * ORDERS_EACH)
        run.settle()
        everybody = [get(f"/order/all?limit={PAGE}")]
        each = [get(f"/order/{customer(number)}") for number in range(CUSTOMERS)]
        _read(run, everybody, session.scale.warm / 2, PAGE)
        of_all = _read(run, everybody, session.scale.seconds, PAGE)
        warmed = _read(run, each, session.scale.warm / 2, ORDERS_EACH)
        of_a_user = _read(run, each, session.scale.seconds, ORDERS_EACH)
        _published(run, len(warmed.answers) + len(of_a_user.answers))
        run.check()
    return {"lists of all/s": of_all.per_second, "lists of a user/s": of_a_user.per_second}


def _read(run: Trial, requests: list[bytes], seconds: float, orders: int) -> Load:
    run.tell(f"reading {orders} orders at a time")
    load = closed_loop(run.port, cycle(requests), CONNECTIONS, seconds=seconds, keep=_count)
    wrong = [answer for answer in load.answers if answer.status != 200 or int(answer.body) != orders]
    if wrong:
        raise WrongBooksError(f"{len(wrong)} of {len(load.answers)} lists are wrong: {wrong[0]}")
    return load


def _count(body: bytes) -> bytes:
    """Keep how many orders a list has: the lists themselves would fill the memory."""
    return b"%d" % body.count(b'"orderId"')


def _published(run: Trial, asked: int) -> None:
    """Wait until `user_orders` has a message for each list of a user that was asked for, and no more."""
    run.tell("waiting for user_orders")
    log = run.topics["user_orders"]
    seen, deadline = -1, 0.0
    while (count := log.count()) < asked:
        if count != seen:
            seen, deadline = count, time.monotonic() + FINISH_SECONDS
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    time.sleep(0.5)  # for what comes a second time
    if log.count() != asked:
        raise WrongBooksError(f"{log.count()} messages on user_orders for {asked} lists")
