"""The plots of docs/benchmarks.md, as SVG: throughput, latency by load, CPU an order by part, pace by orders stored."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.peer_processes import SERVICE
from bench.quantiles import spread
from bench.session import Readings

OURS, THEIRS = "#0b6e4f", "#8d99ae"
PART = "CPU an order (µs): "

# The same readings make the same file.
mpl.rcParams.update(
    {"svg.hashsalt": "order-service", "svg.fonttype": "none", "axes.spines.top": False, "axes.spines.right": False}
)


def draw(measured: Mapping[str, Readings], folder: Path) -> dict[str, Path]:
    """Draw what was measured; return the files by what they show."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {}
    for name, about, experiment, plot in PLOTS:
        if experiment in measured:
            figure = Figure(figsize=(8, 3.6), layout="constrained")
            plot(figure.subplots(), measured[experiment])
            path = folder / f"bench-{name}.svg"
            figure.savefig(path, metadata={"Date": None})
            drawn[about] = path
    return drawn


def _throughput(axes: Axes, readings: Readings) -> None:
    spreads = {name: spread(found["orders/s"]) for name, found in readings.items()}
    ranked = sorted(spreads, key=lambda name: spreads[name].median)
    middle = [spreads[name].median for name in ranked]
    below = [spreads[name].median - spreads[name].lowest for name in ranked]
    above = [spreads[name].highest - spreads[name].median for name in ranked]
    axes.barh(ranked, middle, xerr=[below, above], color=[OURS if name == SERVICE else THEIRS for name in ranked])
    axes.set_xlabel("orders a second, stored and on Kafka (median, lowest to highest run)")


def _latency(axes: Axes, readings: Readings) -> None:
    for name, found in readings.items():
        for quantile, line in (("p50", "-"), ("p99", "--")):
            points = sorted(
                (int(rate[1]), spread(values).median)
                for quantity, values in found.items()
                if (rate := re.fullmatch(rf"{quantile} \(ms\) at (\d+)/s", quantity))
            )
            color = OURS if name == SERVICE else THEIRS
            axes.plot(*zip(*points, strict=True), line, marker="o", color=color, label=f"{name}, {quantile}")
    axes.set_yscale("log")
    axes.set_xlabel("orders a second")
    axes.set_ylabel("ms from send to Kafka")
    axes.legend(frameon=False)


def _cpu(axes: Axes, readings: Readings) -> None:
    parts = {
        name: {
            quantity.removeprefix(PART): spread(values).median
            for quantity, values in found.items()
            if quantity.startswith(PART)
        }
        for name, found in readings.items()
    }
    names = sorted(parts, key=lambda name: -sum(parts[name].values()))
    left = dict.fromkeys(names, 0.0)
    for part in sorted({part for of in parts.values() for part in of}):
        widths = [parts[name].get(part, 0.0) for name in names]
        if max(widths) > 0.01 * max(sum(of.values()) for of in parts.values()):
            axes.barh(names, widths, left=list(left.values()), label=part)
        left = {name: left[name] + parts[name].get(part, 0.0) for name in names}
    axes.set_xlabel("CPU µs an order, servers included (median)")
    axes.legend(frameon=False, fontsize="small", ncols=2)


def _growth(axes: Axes, readings: Readings) -> None:
    points = sorted(
        (int(after[1]), spread(values).median)
        for quantity, values in readings[SERVICE].items()
        if (after := re.fullmatch(r"orders/s after (\d+)", quantity))
    )
    axes.plot(*zip(*points, strict=True), color=OURS)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("orders stored before")
    axes.set_ylabel("orders a second")


PLOTS: tuple[tuple[str, str, str, Callable[[Axes, Readings], None]], ...] = (
    ("throughput", "Throughput", "throughput", _throughput),
    ("latency", "Latency by load", "latency", _latency),
    ("cpu", "CPU an order by part", "throughput", _cpu),
    ("growth", "Pace by the number of orders stored", "memory", _growth),
)
