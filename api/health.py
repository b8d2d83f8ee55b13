"""Liveness and readiness, for whatever starts this process and sends it requests."""

import logging

import orjson
import pymongo
import redis
from flask import Blueprint, Response
from pymongo.errors import PyMongoError

from api.orders import MONGO_TIMEOUT
from models.connections import orders, redis_client

CHECK_TIMEOUT = 0.8
"""Seconds each server has to answer; both together, and PyMongo's 0.5 of delay, stay below 2.5."""

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
        with pymongo.timeout(CHECK_TIMEOUT):
            orders(MONGO_TIMEOUT).database.command("ping")
    except PyMongoError as error:
        _log.warning("MongoDB: %s", type(error).__name__)
        return False
    return True


def _redis_answers() -> bool:
    try:
        redis_client(CHECK_TIMEOUT).ping()
    except redis.RedisError as error:
        _log.warning("Redis: %s", type(error).__name__)
        return False
    return True
