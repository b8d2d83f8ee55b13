"""The Dockerfile, held against the code."""

import ast
import re
from pathlib import Path

import pytest

from settings import Settings
from tests.deploy import image
from tests.processes import REPOSITORY

NOT_SETTINGS = {"PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}
OURS = {path.stem for path in REPOSITORY.glob("*.py")} | {path.parent.name for path in REPOSITORY.glob("*/__init__.py")}


def test_every_module_of_ours_that_the_image_imports_is_in_it(app_folder: Path) -> None:
    there = {path.stem for path in app_folder.iterdir()}
    for file in app_folder.rglob("*.py"):
        missing = (_imported(file) & OURS) - there
        assert not missing, f"{file.relative_to(app_folder)} imports {missing}"


def test_the_image_has_every_file_of_its_packages_and_none_of_tests_bench_and_local(app_folder: Path) -> None:
    there = {path.name for path in app_folder.iterdir()}

    assert there == {source for source, _ in image.copied()}
    assert not there & {"tests", "bench", "local", "docs", ".env", ".git", ".venv", ".local"}
    assert list(app_folder.rglob("*.lua"))


def test_the_build_context_holds_what_the_dockerfile_copies_and_nothing_else() -> None:
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]

    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == {
        "requirements.txt",
        *(source for source, _ in image.copied()),
    }
    assert rules[-3:] == ["**/__pycache__", "**/*.pyc", "**/.env"]


def test_what_the_image_sets_is_a_setting_or_its_own() -> None:
    for name, value in image.environment().items():
        if name not in NOT_SETTINGS:
            assert name.lower() in Settings.model_fields
            assert value != str(Settings.model_fields[name.lower()].default), f"{name} is the default already"


def test_packages_are_wheels_checked_against_their_hashes_and_tools_to_build_stay_out() -> None:
    first, last = image.stages()
    (install,) = [argument for name, argument in first if name == "RUN" and " install " in argument]

    assert {"--require-hashes", "--only-binary", ":all:"} <= set(install.split())
    assert [argument for name, argument in last if name == "RUN" and not argument.startswith("useradd")] == []
    assert {argument.split()[0] for name, argument in last if name == "COPY"} == {"--from=build"}


def test_both_stages_are_one_exact_image_of_the_python_that_the_tests_and_pins_are_for() -> None:
    bases = {argument.split()[0] for name, argument in image.instructions() if name == "FROM"}
    pinned_for = re.search(r"--python-version (3\.\d+)", (REPOSITORY / "requirements.txt").read_text())

    assert len(bases) == 1
    assert pinned_for
    assert re.fullmatch(rf"python:{re.escape(pinned_for[1])}\.\d+-slim-\w+", bases.pop())


def test_the_image_runs_without_root_and_without_a_shell_in_between() -> None:
    (user,) = image.values("USER")

    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)
    assert f"--uid {user.split(':')[0]} " in image.values("RUN")[0]
    assert image.values("ENTRYPOINT") == ['["python", "-m", "deploy"]']
    assert image.values("CMD") == ['["all"]']
    assert image.values("STOPSIGNAL") == ["SIGTERM"]
    assert image.values("EXPOSE") == [str(Settings.model_fields["port"].default)]


def test_a_health_check_has_the_time_that_its_questions_may_take() -> None:
    from deploy.health import ANSWER_SECONDS
    from deploy.heartbeats import FRESH_SECONDS

    options, command = image.health_check()

    assert command == ["python", "-m", "deploy.health"]
    assert _seconds(options["timeout"]) > ANSWER_SECONDS
    assert _seconds(options["interval"]) >= FRESH_SECONDS
    assert _seconds(options["start-period"]) > _seconds(options["start-interval"])


@pytest.mark.parametrize("secret", ["PASSWORD", "SECRET", "TOKEN"])
def test_no_secret_is_baked_in(secret: str) -> None:
    assert not any(secret in name for name in image.environment())


def _seconds(duration: str) -> float:
    return float(duration.removesuffix("s"))


def _imported(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found
