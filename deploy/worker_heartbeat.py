"""Touches HEARTBEAT_FILE while a worker works, as beat and the bridge do; a worker includes it (`processes.py`).

The beats come from the worker's main loop, every 2 s, and only while it is connected to the broker: they tell the same
as an answer to `celery inspect ping`, which starts Celery and opens connections for every question.
"""

from pathlib import Path
from typing import Any

from celery.signals import heartbeat_sent

from settings import settings


@heartbeat_sent.connect
def _show_sign_of_life(**_: Any) -> None:
    file = settings().heartbeat_file
    if file is not None:
        Path(file).touch()
