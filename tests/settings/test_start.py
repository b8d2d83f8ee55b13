"""Wrong settings end every kind of process at once, whatever starts it."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.processes import BIN, REPOSITORY

COMMANDS = {
    "api": ("gunicorn", "api:create_app()"),
    "worker": ("celery", "-A", "tasks", "worker", "-Q", "orders"),
    "beat": ("celery", "-A", "tasks", "beat"),
    "bridge": ("python", "-m", "bridge"),
    "flower": ("celery", "-A", "tasks", "flower"),
}
SECRET = "hunter2"


def start(command: tuple[str, ...], cwd: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Run a process to its end, in an environment of these settings alone."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), **settings}
    program, *arguments = command
    return subprocess.run(
        [BIN / program, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=30, check=False
    )


@pytest.mark.parametrize("kind", COMMANDS)
def test_wrong_settings_are_one_line_each_and_exit_code_2(kind: str) -> None:
    wrong = {"PORT": "0", "KAFKA_BROKER": "kafka", "MONGO_URI": f"mongodb://shop:{SECRET}@", "REDIS_PASSWORD": SECRET}

    ended = start(COMMANDS[kind], REPOSITORY, **wrong)

    assert ended.returncode == 2
    lines = ended.stderr.splitlines()
    assert [line.split(" is wrong: ")[0] for line in lines] == [
        "order-service: PORT",
        "order-service: MONGO_URI",
        "order-service: KAFKA_BROKER",
    ]
    assert SECRET not in ended.stdout + ended.stderr
    assert ended.stdout == ""


def test_a_process_reads_the_dot_env_of_its_working_directory(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("CURRENCY=euros\n")

    ended = start(COMMANDS["bridge"], tmp_path)

    assert (ended.returncode, ended.stderr) == (2, "order-service: CURRENCY is wrong: must be three capital letters\n")
