"""How gunicorn serves the API; it reads this file by itself: `gunicorn 'api:create_app()'`."""

from typing import Any

from settings import settings

_chosen = settings()

bind = f"{_chosen.host}:{_chosen.port}"
workers = _chosen.api_workers
threads = _chosen.api_threads
worker_class = "gthread"
# A client that keeps its connection open must outlast a load balancer's idle time, not the other way round.
keepalive = 75
# Requests in hand when TERM comes have this long (s) to end.
graceful_timeout = 10
loglevel = _chosen.log_level.lower()
# Nothing here is steered while it runs, so no socket for that is left in anybody's home.
control_socket_disable = True
# A heartbeat file on disk can block; memory cannot.
worker_tmp_dir = "/dev/shm"  # noqa: S108


def post_worker_init(_worker: Any) -> None:
    """Answer what can't be parsed with a problem too."""
    from api.unparsed import answer_with_problems

    answer_with_problems()
