"""From POST to stored and on Kafka, as fast as each can: orders a second, how long one takes then, CPU by part."""

from bench import usage
from bench.contestants import Contestant
from bench.quantiles import quantile
from bench.session import Session
from bench.trial import Trial, accepted_in, trial


def measure(contestant: Contestant, session: Session) -> dict[str, float]:
    """Post from all connections for a while; the clock stops when the last order is on Kafka."""
    with trial(contestant, session) as run, run.running():
        run.warm(session.scale.connections)
        figures = saturate(run)
        run.check()
    return figures


def saturate(run: Trial) -> dict[str, float]:
    """Post from all connections for a while; return orders a second, milliseconds to Kafka, CPU µs an order by part."""
    run.tell("posting orders")
    roots = {**run.pids(), **run.servers.pids()}
    before, inserts = usage.cpu_seconds(roots), _inserts(run)
    load = run.post(run.session.scale.connections, run.session.scale.seconds)
    arrived = run.settle()
    used = usage.cpu_seconds(roots)
    used.subtract(before)
    orders = accepted_in(load)
    count, last = len(orders), max(arrived[order_id] for order_id, _ in orders)
    waits = [1000 * (arrived[order_id] - answer.at) for order_id, answer in orders]
    figures = {
        "orders/s": count / (last - load.began),
        "accepted to Kafka p50 (ms)": quantile(waits, 0.5),
        "accepted to Kafka p99 (ms)": quantile(waits, 0.99),
        "orders an insert": count / max(1, _inserts(run) - inserts),
        "CPU an order (µs)": sum(1e6 * used[part] for part in run.pids()) / count,
    }
    return figures | {f"CPU an order (µs): {part}": 1e6 * seconds / count for part, seconds in used.items()}


def _inserts(run: Trial) -> int:
    """Return how many insert commands MongoDB has carried out."""
    told = run.mongo.admin.command("serverStatus")
    return int(told["metrics"]["commands"]["insert"]["total"])
