"""The order service as the documentation of Flask and Celery teaches it: one app for the API and its tasks."""

from typing import Any

import mongoengine
from celery import Celery, Task
from flask import Flask

from textbook import problems, views
from textbook.config import CELERY, MONGO_URI


def celery_init_app(app: Flask) -> "Celery[Any]":
    """Make the Celery app whose tasks run in an application context (Flask's guide, "Background Tasks with Celery")."""

    class FlaskTask(Task):  # type: ignore[type-arg]
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            with app.app_context():
                return self.run(*args, **kwargs)

    celery_app: Celery[Any] = Celery(app.name, task_cls=FlaskTask)
    celery_app.config_from_object(app.config["CELERY"])
    celery_app.set_default()
    app.extensions["celery"] = celery_app
    return celery_app


def create_app() -> Flask:
    """Put the application together; servers are connected to at first use, so in each process after its fork."""
    app = Flask(__name__)
    app.config.from_mapping(CELERY=CELERY, MAX_CONTENT_LENGTH=256 * 1024)
    celery_init_app(app)
    mongoengine.connect(host=MONGO_URI, connect=False, tz_aware=True, uuidRepresentation="standard")
    problems.register(app)
    app.register_blueprint(views.blueprint)
    return app
