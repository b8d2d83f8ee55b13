"""The Celery application: `celery -A tasks worker -Q orders`, `celery -A tasks beat`, `celery -A tasks flower`."""

import os

# Soft shutdown on TERM as on QUIT: what runs may end within `worker_soft_shutdown_timeout`, the rest is given back.
# Celery reads it from the environment alone, while it is imported.
os.environ.setdefault("REMAP_SIGTERM", "SIGQUIT")

import logging
from typing import Any

from celery import Celery
from celery.signals import after_setup_logger, after_setup_task_logger

from settings import settings
from tasks import transport

transport.register()
app = Celery("order-service")
app.config_from_object("celeryconfig")


@after_setup_logger.connect
@after_setup_task_logger.connect
def _log_as_set(logger: logging.Logger, **_: Any) -> None:
    logger.setLevel(settings().log_level)
