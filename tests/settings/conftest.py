"""An environment in which nothing is set."""

import os
from pathlib import Path

import pytest

from settings import Settings

NAMES = frozenset(name.upper() for name in Settings.model_fields)


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Take all settings out of the environment, and go where there is no `.env`."""
    for name in [name for name in os.environ if name.upper() in NAMES]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
