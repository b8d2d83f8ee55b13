"""At a fixed rate: milliseconds from when an order was due to be sent until it is on Kafka."""

from bench.contestants import Contestant
from bench.quantiles import quantile
from bench.session import Session
from bench.trial import Trial, accepted_in, trial

RATE = 100
"""Orders a second of the figures; the other rates are for the plot."""

RATES = (100, 250, 500, 750, 1000, 1500, 2000, 3000)
TOO_LONG = 1000.0
"""Where half of all orders take longer (ms), the rate is more than the contestant can do: the last one."""


def measure(contestant: Contestant, session: Session) -> dict[str, float]:
    """Go from rate to rate, until one is too much."""
    with trial(contestant, session) as run, run.running():
        run.warm(8)
        figures: dict[str, float] = {}
        rates = RATES if session.scale.thorough else RATES[:1]
        for rate in rates:
            seconds = session.scale.seconds * (2 if rate == RATE else 0.5)
            waits = _at(run, rate, seconds)
            figures |= {f"p50 (ms) at {rate}/s": quantile(waits, 0.5), f"p99 (ms) at {rate}/s": quantile(waits, 0.99)}
            if quantile(waits, 0.5) > TOO_LONG:
                break
        run.check()
    return figures


def _at(run: Trial, rate: int, seconds: float) -> list[float]:
    run.tell(f"{rate} orders/s")
    load = run.post_at(rate, seconds)
    arrived = run.settle()
    return [1000 * (arrived[order_id] - answer.due) for order_id, answer in accepted_in(load)]
