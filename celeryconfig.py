"""Every setting of Celery, each with the reason where it is not the obvious one. Its servers come from settings.py."""

import ssl
from datetime import UTC, datetime
from urllib.parse import quote

from kombu import Queue

from settings import settings

_chosen = settings()
_password = _chosen.redis_password.get_secret_value() if _chosen.redis_password else ""
_login = f"{quote(_chosen.redis_username or '', safe='')}:{quote(_password, safe='')}@" if _password else ""
_server = f"{'rediss' if _chosen.redis_tls else 'redis'}://{_login}{_chosen.redis_host}:{_chosen.redis_port}"

# Broker and task records are one Redis server and database, so that one script can change both.
broker_url = f"{_server}/{_chosen.redis_db}"
result_backend = f"tasks.records:RecordBackend+{broker_url}"
if _chosen.redis_tls:
    # Without this a rediss:// URL checks no certificate.
    broker_use_ssl = redis_backend_use_ssl = {"ssl_cert_reqs": ssl.CERT_REQUIRED}

broker_transport_options = {
    "visibility_timeout": _chosen.visibility_timeout,
    # Look for overdue messages every second; with the defaults they come back up to 100 s late.
    "unacked_restore_interval": 1,
    # The next two are for BROKER_TRANSPORT=stock; ours looks each time, and has no lock.
    "unacked_restore_throttle": 1,
    # A worker killed while it holds this lock stops all redelivery until the lock expires.
    "unacked_mutex_expire": 15,
    # One list for each queue, in the order of arrival.
    "priority_steps": [0],
    "socket_timeout": 10,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 5,
}
broker_connection_retry_on_startup = True
broker_connection_max_retries = None
# A master that failed over answers READONLY: that is worth another try too.
broker_channel_error_retry = True
broker_pool_acquire_timeout = 1
result_backend_transport_options = {"socket_timeout": 10, "socket_connect_timeout": 5}
redis_socket_timeout = 10
redis_socket_connect_timeout = 5
redis_retry_on_timeout = False

# A task is acknowledged when it has ended, and given to another worker when its own dies. Each is safe to run twice.
task_acks_late = True
task_reject_on_worker_lost = True
task_track_started = True
worker_prefetch_multiplier = 4
# How much a worker of orders takes is set where its batches are made (tasks/batches.py), after a lost connection too.
worker_enable_prefetch_count_reduction = False
# Our tasks outlast a lost connection and find their work done when they run again; cancelling them only costs time.
worker_cancel_long_running_tasks_on_connection_loss = False

# JSON alone: a worker that unpickles what a queue holds runs whatever somebody wrote there.
task_serializer = result_serializer = "json"
event_serializer = "orjson"
accept_content = result_accept_content = ["json"]

# Queues are named by `queue=` alone, over the default exchange: a named one drops messages silently when its binding
# key is gone from Redis. A misspelt queue is an error, not a queue that nobody reads.
task_queues = [Queue(name, routing_key=name, exchange="") for name in ("orders", "stock", "logins", "publish")]
task_create_missing_queues = False
task_default_queue = "orders"
task_default_exchange = ""
task_default_routing_key = "orders"
imports = ("tasks.orders", "tasks.batches", "tasks.stock", "tasks.logins", "tasks.publish", "tasks.heartbeat")

# Events for Flower.
worker_send_task_events = True
worker_consumer = "tasks.consumer:Consumer"
worker_concurrency = _chosen.worker_concurrency
worker_hijack_root_logger = True
worker_log_format = "%(asctime)s %(levelname)s %(processName)s %(name)s: %(message)s"
worker_task_log_format = "%(asctime)s %(levelname)s %(processName)s %(task_name)s[%(task_id)s]: %(message)s"

timezone = "UTC"
# Intervals only, so there is nothing to remember between runs: no schedule file, and a read-only disk will do.
beat_scheduler = "tasks.heartbeat:LivingScheduler"


def _every(task: str, seconds: float) -> dict[str, object]:
    # One that has waited until the next one is due is not worth running.
    options = {"queue": "publish", "expires": max(1.0, seconds)}
    # Due at beat's start too: a new MongoDB must not be without indexes, nor Kafka without topics, until then.
    return {"task": task, "schedule": seconds, "options": options, "last_run_at": datetime.fromtimestamp(0, UTC)}


beat_schedule = {
    "sweep_outbox": _every("sweep_outbox", _chosen.outbox_sweep_seconds),
    "settle_quiet_products": _every("settle_quiet_products", 10.0),
    "undo_unstored_movements": _every("undo_unstored_movements", 10.0),
    "prepare_stores": _every("prepare_stores", 30.0),
}
