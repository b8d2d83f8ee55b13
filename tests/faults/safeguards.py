"""`python -m tests.faults.safeguards`: switches safeguards off, one at a time, and shows which test notices.

Each is switched off by replacing a text in a throw-away copy of the tree. Exit code 1 where its test stays green, where
the text is gone, or where a test is red with every safeguard on: then its being red would show nothing.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from tests.processes import REPOSITORY

TEST_SECONDS = 400
ERRORS = 100
LEFT_OUT = (".git", ".venv", ".local", ".hypothesis", "__pycache__", "node_modules", ".*_cache")
IN_HAND = "tests/tasks/test_in_hand.py::"
KILLED = "tests/tasks/test_killed_between_steps.py::"
GROUPS = "tests/tasks/test_group_commit.py::"
WORKERS = "tests/tasks/test_workers.py::"


@dataclass(frozen=True, slots=True)
class Change:
    """A text that is replaced in one file; it must be there exactly once."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Safeguard:
    """What is switched off by which changes, and the test that must go red."""

    name: str
    changes: tuple[Change, ...]
    test: str


SAFEGUARDS = (
    Safeguard(
        "atomic take",
        (Change("tasks/transport/take.lua", "if acknowledged and #taken > 0 then", "if false then"),),
        f"{WORKERS}test_a_killed_worker_s_orders_are_done_by_another",
    ),
    Safeguard(
        "lease renewal",
        (
            Change(
                "tasks/transport/poller.py", "                channel.qos.renew_leases()\n", "                pass\n"
            ),
        ),
        "tests/tasks/transport/test_celery_workers.py::test_what_takes_longer_than_the_visibility_timeout",
    ),
    Safeguard(
        "result with acknowledgement",
        (Change("tasks/end_writes.lua", "if tag ~= '' then", "if false then"),),
        f"{GROUPS}test_what_waits_together_is_stored_by_few_commands",
    ),
    Safeguard(
        "taskId filter",
        (
            Change(
                "tasks/done.py",
                "entry = entry_of(stored, write.task_id) if stored else None",
                "entry = None",
            ),
            Change("models/fence.py", '        "timeline.taskId": {"$ne": task_id},\n', ""),
        ),
        f"{KILLED}test_a_change_killed_after_a_step_and_run_again_is_one_version[update-order stored]",
    ),
    Safeguard(
        "discard fence",
        (Change("models/fence.py", '        "discarded": {"$ne": task_id},\n', ""),),
        f"{IN_HAND}test_a_discarded_change_is_not_stored_by_a_worker_that_thaws[before order]",
    ),
    Safeguard(
        "discard in the ledger",
        (Change("models/move_stock.lua", "  if discarded[task] then", "  if false then"),),
        f"{IN_HAND}test_a_discarded_change_is_not_stored_by_a_worker_that_thaws[before stock]",
    ),
    Safeguard(
        "keyed movements",
        (Change("models/move_stock.lua", "  elseif known and known[1] then", "  elseif false then"),),
        f"{KILLED}test_a_create_killed_after_a_step_and_run_again_is_one_order[stock decided]",
    ),
    Safeguard(
        "predecessor",
        (Change("tasks/accept.lua", "if predecessor then", "if false then"),),
        f"{IN_HAND}test_a_write_waits_for_the_one_before_it_though_a_worker_is_free",
    ),
    Safeguard(
        "outbox sweep",
        (Change("celeryconfig.py", '    "sweep_outbox": _every("sweep_outbox", _chosen.outbox_sweep_seconds),\n', ""),),
        f"{WORKERS}test_orders_go_on_without_kafka_and_their_events_follow_in_order",
    ),
    Safeguard(
        "offset storing after enqueue",
        (
            Change(
                "bridge/loop.py",
                "            try:\n                self._pass_on(batch)\n",
                "            self._settle(batch)\n            try:\n                self._pass_on(batch)\n",
            ),
        ),
        "tests/bridge/test_restarts.py::test_levels_that_redis_never_got_are_read_again_after_a_kill",
    ),
    Safeguard(
        "rule (b)'s unpublished clause",
        (
            Change(
                "models/ledger.lua",
                "local old = redis.call('ZRANGEBYSCORE', key(product, 'published'), '-inf', till, 'LIMIT', 0, LIMIT)",
                "local old = redis.call('ZRANGEBYSCORE', key(product, 'unpublished'), '-inf', till, 'LIMIT', 0, LIMIT)",
            ),
        ),
        "tests/stock/test_rules.py::test_an_unpublished_order_is_never_settled_by_time",
    ),
    Safeguard(
        "halving",
        (Change("tasks/commit.py", "        if len(writes) == 1:\n", "        if writes:\n"),),
        f"{GROUPS}test_one_write_that_can_t_be_carried_out_is_parked_and_249_end_well",
    ),
    Safeguard(
        "parking count",
        (Change("tasks/commit.py", "if starts >= MAX_STARTS:", "if False:"),),
        f"{GROUPS}test_one_write_that_kills_its_process_is_parked_at_its_third_start_and_249_end_well",
    ),
    Safeguard(
        "appendfsync always",
        (Change("local/servers/redis_server.py", '"appendfsync": "always"', '"appendfsync": "everysec"'),),
        "tests/faults/test_acknowledged_is_on_disk.py",
    ),
)


def main(words: list[str] | None = None) -> int:
    """Switch off what is named, or everything; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.safeguards", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of: {', '.join(each.name for each in SAFEGUARDS)}")
    names = parser.parse_args(words).names
    chosen = [each for each in SAFEGUARDS if not names or each.name in names]
    if len(chosen) < len(names):
        parser.error(f"no such safeguard among {names}")
    console, caught = Console(), True
    with tempfile.TemporaryDirectory(prefix="safeguards-") as folder:
        if (code := run([each.test for each in chosen], _copy(Path(folder) / "unchanged"))) != 0:
            console.print(f"with every safeguard on the tests end with code {code}", style="red")
            return 1
        for number, safeguard in enumerate(chosen):
            verdict = without(safeguard, _copy(Path(folder) / str(number)))
            caught = caught and verdict == "caught"
            style = "" if verdict == "caught" else "red"
            console.print(f"{safeguard.name}: {verdict} by {safeguard.test}", style=style, markup=False, soft_wrap=True)
    return 0 if caught else 1


def without(safeguard: Safeguard, tree: Path) -> str:
    """Return `caught` where the test goes red without the safeguard, else what is wrong."""
    for change in safeguard.changes:
        path = tree / change.file
        text = path.read_text()
        if text.count(change.old) != 1:
            return f"NOT SWITCHED OFF: the text to replace is {text.count(change.old)} times in {change.file}, not seen"
        path.write_text(text.replace(change.old, change.new))
    code = run([safeguard.test], tree)
    return {0: "NOT CAUGHT", 1: "caught"}.get(code, f"UNCLEAR (code {code})")


def run(tests: Sequence[str], tree: Path) -> int:
    """Run tests of a tree; return 0 for green, 1 where a test failed, and else (errors, none found) another code."""
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", f"--junitxml={tree / 'tests.xml'}"]
    command += dict.fromkeys(tests)
    done = subprocess.run(command, cwd=tree, capture_output=True, timeout=TEST_SECONDS, check=False)
    # A fixture that breaks ends with code 1 too, and says nothing of the safeguard.
    failed = done.returncode == 1 and "<failure" in (tree / "tests.xml").read_text()
    return done.returncode if done.returncode != 1 or failed else ERRORS


def _copy(tree: Path) -> Path:
    shutil.copytree(REPOSITORY, tree, symlinks=True, ignore=shutil.ignore_patterns(*LEFT_OUT))
    (tree / ".venv").symlink_to(Path(sys.prefix))
    return tree


if __name__ == "__main__":
    sys.exit(main())
