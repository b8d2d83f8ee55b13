"""Where the servers are (the five variables of the contract), and what Celery is told."""

import os

MONGO_URI = os.environ.get("MONGO_URI", "mongodb://127.0.0.1:27017/orders")
REDIS_HOST = os.environ.get("REDIS_HOST", "127.0.0.1")
REDIS_PORT = int(os.environ.get("REDIS_PORT", "6379"))
KAFKA_BROKER = os.environ.get("KAFKA_BROKER", "127.0.0.1:9092")

_REDIS_URL = f"redis://{REDIS_HOST}:{REDIS_PORT}/0"

CELERY = {
    "broker_url": _REDIS_URL,
    "result_backend": _REDIS_URL,
    "broker_connection_retry_on_startup": True,
    # A task is acknowledged when it has ended, so that one whose worker died is run again.
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
}
