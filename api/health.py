"""Liveness and readiness, for whatever starts this process and sends it requests."""

import logging

import orjson
import redis
from flask import Blueprint, Response
from pymongo.errors import PyMongoError

from api import stores

CHECK_TIMEOUT = 0.8
"""Seconds each server has to answer."""

blueprint = Blueprint("health", __name__)
_log = logging.getLogger(__name__)


@blueprint.get("/livez")
def live() -> Response:
    """Tell that the process answers."""
    return Response(orjson.dumps({"status": "ok"}), content_type="application/json")


@blueprint.get("/readyz")
def ready() -> Response:
    """Tell whether MongoDB (reads) and Redis (writes) answer; Kafka is the workers' concern."""
    checks = {"mongodb": _mongo_answers(), "redis": _redis_answers()}
    ok = all(checks.values())
    body = {
        "status": "ok" if ok else "unavailable",
        "checks": {name: "ok" if answers else "unavailable" for name, answers in checks.items()},
    }
    return Response(orjson.dumps(body), status=200 if ok else 503, content_type="application/json")


def _mongo_answers() -> bool:
    try:
        with stores.order_store(CHECK_TIMEOUT) as orders:
            orders.database.command("ping")
    except (PyMongoError, stores.NotAskedError) as error:
        _log.warning("MongoDB: %s", type(error).__name__)
        return False
    return True


def _redis_answers() -> bool:
    try:
        with stores.task_store(CHECK_TIMEOUT) as client:
            client.ping()
    except (redis.RedisError, stores.NotAskedError) as error:
        _log.warning("Redis: %s", type(error).__name__)
        return False
    return True
