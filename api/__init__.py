"""HTTP in, HTTP out: `gunicorn 'api:create_app()'`."""

from flask import Flask

from api import description, health, orders, status
from api.json_body import READ_LIMIT
from api.problems import answer_with_problems
from api.routing import IdConverter
from settings import settings


def create_app() -> Flask:
    """Return the application; this is the one place where its parts are put together."""
    settings()  # a wrong setting ends the process here, not at the first request
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = READ_LIMIT
    app.url_map.converters["id"] = IdConverter
    app.url_map.strict_slashes = True
    app.url_map.merge_slashes = False
    answer_with_problems(app)
    for part in (orders, status, health, description):
        app.register_blueprint(part.blueprint)
    return app
