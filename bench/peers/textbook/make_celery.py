"""Where `celery -A make_celery` finds the Celery app: the one that the Flask application made."""

from textbook import create_app

flask_app = create_app()
celery_app = flask_app.extensions["celery"]
