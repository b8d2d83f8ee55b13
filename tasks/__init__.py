"""The Celery application: `celery -A tasks worker -Q orders`, `celery -A tasks beat`, `celery -A tasks flower`."""

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
