"""A minute of faults in a fixed order, on servers and processes of its own: nothing lost, doubled, oversold or missing.

`make faults` is the same for every fault, often and for long.
"""

from pathlib import Path

import pytest

from tests.faults.products import MODES
from tests.faults.registry import QUICK
from tests.faults.report import evidence
from tests.faults.run import Plan, Run, chosen

SEED = 20261124
RATE = 40.0
SECONDS = 60.0
TOO_SLOW = (
    "-worker thawed",
    "-worker terminated amid long tasks",
    "-poisonous write",
    "-write that breaks its batch",
    "-bridges come and go",
    "-mongod stepped down",
    "-kafka frozen",
    "-killed between report and end",  # tests/tasks/test_killed_between_steps.py dies there, too
)


@pytest.mark.timeout(400)
def test_nothing_is_lost_in_a_minute_of_faults(tmp_path: Path) -> None:
    run = Run(Plan(SEED, RATE, QUICK, MODES), tmp_path, print)
    with run.started():
        *_, total = run.storm(chosen(TOO_SLOW), SECONDS)

    assert evidence(run.rows) == []
    assert total.times
    assert total.orders
