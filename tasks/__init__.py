"""The Celery application: `celery -A tasks worker -Q orders`, `celery -A tasks beat`, `celery -A tasks flower`."""

import os

# Soft shutdown on TERM as on QUIT: what runs may end within `worker_soft_shutdown_timeout`, the rest is given back.
# Celery reads it from the environment alone, while it is imported.
os.environ.setdefault("REMAP_SIGTERM", "SIGQUIT")

from celery import Celery

app = Celery("order-service")
app.config_from_object("celeryconfig")
