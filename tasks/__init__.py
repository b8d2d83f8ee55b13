"""The Celery application: `celery -A tasks worker -Q orders`, `celery -A tasks beat`, `celery -A tasks flower`."""

import logging
from functools import cached_property
from typing import Any

from celery import Celery
from celery.signals import after_setup_logger, after_setup_task_logger

from settings import settings
from tasks import transport


class OrderService(Celery):
    """The application, with a worker of its own."""

    @cached_property
    def Worker(self) -> Any:  # noqa: N802 - Celery's name
        """The class of `celery -A tasks worker`."""
        from tasks.worker import Worker

        return self.subclass_with_self(Worker)


transport.register()
app = OrderService("order-service")
app.config_from_object("celeryconfig")


@after_setup_logger.connect
@after_setup_task_logger.connect
def _log_as_set(logger: logging.Logger, **_: Any) -> None:
    logger.setLevel(settings().log_level)
    if settings().log_level != "DEBUG":
        # A line for each task that comes in costs a worker more than its stock; tasks/batches.py has one for a batch.
        logging.getLogger("celery.worker.strategy").setLevel(logging.WARNING)
