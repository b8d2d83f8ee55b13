"""Readings as JSON: one file for each experiment, written after every run, so that a run cut short loses nothing."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.session import Readings


@dataclass
class Record:
    """One experiment's readings, where and when they were taken, and who was not measured for what reason."""

    experiment: str
    at: str
    commit: str
    machine: dict[str, str]
    scale: dict[str, Any]
    readings: Readings
    not_run: dict[str, str]


def save(record: Record, folder: Path) -> None:
    """Write the record in place of an earlier one of the same experiment."""
    folder.mkdir(parents=True, exist_ok=True)
    written = folder / f"{record.experiment}.json.new"
    written.write_text(json.dumps(asdict(record), indent=1) + "\n")
    written.replace(folder / f"{record.experiment}.json")


def load(folder: Path) -> dict[str, Record]:
    """Return all records, by experiment."""
    records = [Record(**json.loads(path.read_text())) for path in sorted(folder.glob("*.json"))]
    return {record.experiment: record for record in records}
