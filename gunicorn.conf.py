"""How gunicorn serves the API; it reads this file by itself: `gunicorn 'api:create_app()'`."""

from settings import settings

_chosen = settings()

bind = f"{_chosen.host}:{_chosen.port}"
workers = _chosen.api_workers
threads = _chosen.api_threads
# An event loop around the application (api/loop.py); the threads are for what waits for MongoDB.
worker_class = "api.server.Worker"
# A client that keeps its connection open must outlast a load balancer's idle time, not the other way round.
keepalive = 75
# Requests in hand when TERM comes have this long (s) to end.
graceful_timeout = 10
loglevel = _chosen.log_level.lower()
# Nothing here is steered while it runs, so no socket for that is left in anybody's home.
control_socket_disable = True
# A heartbeat file on disk can block; memory cannot.
worker_tmp_dir = "/dev/shm"  # noqa: S108
