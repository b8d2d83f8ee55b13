"""Medians, ratios, floors and aims, and the table that shows them."""

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bench import table
from bench.documents import BEGIN, END, put
from bench.experiments import EXPERIMENTS
from bench.figures import FIGURES, Figure, Side, result
from bench.plots import draw
from bench.quantiles import quantile, ratio, spread
from bench.results import Record, load, save

PACE = Figure("1", "pace", Side("race", "km/h"), Side("race", "km/h", ("hare", "two hares")), "km/h", 3, 5)
WAIT = Figure("2", "wait", Side("race", "s"), None, "s", 150, 50, less_is_better=True)
COST = Figure("3", "cost", Side("race", "s"), Side("race", "s", ("hare", "two hares"), "sum"), "s", 2, 1.3, True)


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 50), (0.99, 99), (1.0, 100)])
def test_a_quantile_is_a_value_that_was_seen(share: float, value: float) -> None:
    assert quantile(list(range(100, 0, -1)), share) == value


def test_a_quantile_of_few_values_is_the_higher_one() -> None:
    assert quantile([1, 2, 3], 0.5) == 2
    assert quantile([7.0], 0.99) == 7.0


def test_a_spread_is_the_median_and_both_ends() -> None:
    assert (spread([3, 1, 2]).median, spread([3, 1, 2]).lowest, spread([3, 1, 2]).highest) == (2, 1, 3)


def test_a_ratio_compares_medians_and_spreads_over_runs_of_one_round() -> None:
    compared = ratio([10, 20, 30], [10, 10, 5])
    assert (compared.median, compared.lowest, compared.highest) == (2, 1, 6)


def race(ours: list[float], hare: list[float], two: list[float], quantity: str = "km/h") -> Any:
    return {"race": {"service": {quantity: ours}, "hare": {quantity: hare}, "two hares": {quantity: two}}}


@pytest.mark.parametrize(
    ("ours", "verdict"), [(4.99, "floor reached"), (5, "aim reached"), (3, "floor reached"), (2.99, "BELOW THE FLOOR")]
)
def test_a_floor_and_an_aim_are_reached_exactly_there(ours: float, verdict: str) -> None:
    assert result(PACE, race([ours], [1], [0.5])).verdict == verdict


@pytest.mark.parametrize(
    ("ours", "verdict"), [(50, "aim reached"), (51, "floor reached"), (150, "floor reached"), (151, "BELOW THE FLOOR")]
)
def test_of_what_should_be_little_less_is_better(ours: float, verdict: str) -> None:
    assert result(WAIT, race([ours], [], [], "s")).verdict == verdict


def test_the_better_of_two_ways_to_run_a_peer_counts() -> None:
    found = result(PACE, race([12], [2], [3]))
    assert found.compared is not None
    assert found.compared.median == 4
    assert result(PACE, race([12], [4], [3])).compared == ratio([12], [4])


def test_a_sum_is_of_all_its_parts_run_by_run() -> None:
    found = result(COST, race([6, 6], [1, 2], [2, 2], "s"))
    assert found.theirs == spread([3, 4])


def test_a_sum_that_lacks_a_part_is_not_measured() -> None:
    measured = race([6], [1], [2], "s")
    del measured["race"]["hare"]
    assert result(COST, measured).verdict == "not measured"


def test_a_peer_that_was_not_run_leaves_its_figure_unmeasured() -> None:
    measured = race([12], [2], [3])
    del measured["race"]["hare"], measured["race"]["two hares"]
    found = result(PACE, measured)
    assert (found.ours, found.verdict) == (spread([12]), "not measured")


def test_the_table_has_median_spread_ratio_floor_aim_and_verdict() -> None:
    results = [result(PACE, race([1200, 1300, 1250], [300, 310, 250], [1, 1, 1])), result(WAIT, {})]
    assert table.rows(results) == [
        [
            "1",
            "pace",
            "1,250 km/h (1,200 to 1,300)",
            "300 km/h (250 to 310)",
            "4.17x (4.00 to 5.00)",
            "3x",
            "5x",
            "floor reached",
        ],
        ["2", "wait", "", "", "", "at most 150 s", "at most 50 s", "not measured"],
    ]
    assert "4.17x (4.00 to 5.00) | 3x | 5x | floor reached |" in table.markdown(results)
    console = Console(record=True, width=200)
    console.print(table.on_screen(results))
    assert "floor reached" in console.export_text()


def test_each_figure_is_of_an_experiment_and_of_contestants_that_there_are() -> None:
    contestants = {experiment.name: {each.name for each in experiment.contestants} for experiment in EXPERIMENTS}
    for figure in FIGURES:
        assert set(figure.ours.contestants) <= contestants[figure.ours.experiment]
        if figure.theirs is not None and figure.number not in {"2", "3"}:
            assert set(figure.theirs.contestants) <= contestants[figure.theirs.experiment]
        better = figure.aim < figure.floor if figure.less_is_better else figure.aim > figure.floor
        assert better, figure.number


def record(experiment: str, readings: Any) -> Record:
    return Record(experiment, "2026-01-01T00:00:00+00:00", "abc", {"cores": "2"}, {"seconds": 10.0}, readings, {})


def test_readings_are_read_back_and_replace_those_of_their_experiment(tmp_path: Path) -> None:
    save(record("race", race([1], [2], [3])["race"]), tmp_path)
    newer = record("race", race([4], [5], [6])["race"])
    save(newer, tmp_path)
    save(record("rest", {}), tmp_path)

    assert load(tmp_path) == {"race": newer, "rest": record("rest", {})}
    assert json.loads((tmp_path / "race.json").read_text())["readings"]["hare"] == {"km/h": [5]}


def test_only_what_stands_between_the_markers_is_replaced() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter"
    assert put(page, "new") == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter"
    assert put(put(page, "newer"), "new") == put(page, "new")


def test_a_plot_of_the_same_readings_is_the_same_file(tmp_path: Path) -> None:
    pace = {"service": {"orders/s": [3.0, 1, 2], "CPU an order (µs): api": [100]}, "node": {"orders/s": [1.0, 1, 2]}}
    load_ = {"p50 (ms) at 100/s": [5.0], "p99 (ms) at 100/s": [9], "p50 (ms) at 250/s": [6], "p99 (ms) at 250/s": [10]}
    growth = {"service": {"orders/s after 0": [5.0], "orders/s after 20000": [6.0]}}
    measured: dict[str, Any] = {"throughput": pace, "latency": {"service": load_, "node": load_}, "memory": growth}

    first, second = draw(measured, tmp_path / "first"), draw(measured, tmp_path / "second")

    assert set(first) == {
        "Throughput",
        "Latency by load",
        "CPU an order by part",
        "Pace by the number of orders stored",
    }
    for about, path in first.items():
        assert path.read_bytes() == second[about].read_bytes()
    assert set(draw({"memory": growth}, tmp_path / "third")) == {"Pace by the number of orders stored"}
