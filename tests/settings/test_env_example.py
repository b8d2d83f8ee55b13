"""`.env.example` in step with the settings: every one, its default and what it is for."""

import re
from pathlib import Path

import pytest
from dotenv import dotenv_values

from settings import Settings
from tests.processes import REPOSITORY

EXAMPLE = (REPOSITORY / ".env.example").read_text()


def test_every_setting_is_in_it_once_and_nothing_else() -> None:
    named = re.findall(r"^#?([A-Z_]+)=", EXAMPLE, re.MULTILINE)

    assert named == [name.upper() for name in Settings.model_fields]


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_a_line_above_says_what_a_setting_is_for(name: str) -> None:
    description = Settings.model_fields[name].description

    assert description
    assert f"\n# {description}\n#{name.upper()}=" in EXAMPLE


def test_as_it_is_it_changes_nothing(tmp_path: Path) -> None:
    copy = tmp_path / ".env"
    copy.write_text(EXAMPLE)

    assert dotenv_values(copy) == {}


def test_uncommented_it_holds_the_defaults(tmp_path: Path) -> None:
    uncommented = tmp_path / ".env"
    uncommented.write_text(re.sub(r"^#(?=[A-Z_]+=)", "", EXAMPLE, flags=re.MULTILINE))

    read = Settings(_env_file=uncommented)

    assert read == Settings(_env_file=None)
    assert set(dotenv_values(uncommented)) == {name.upper() for name in Settings.model_fields}
