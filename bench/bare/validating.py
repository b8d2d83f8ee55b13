"""The service's API without what makes it one: it checks an order as the service does and answers; nothing is stored.

It runs under the service's own gunicorn settings: `gunicorn 'bench.bare.validating:create_app()'`.
"""

import orjson
from flask import Flask, Response, request

from api.bodies import parse_create
from api.json_body import read_json
from models.ids import new_id

CURRENCY = "USD"


def create_app() -> Flask:
    """Return the application."""
    app = Flask(__name__)

    @app.post("/order/create")
    def create() -> Response:
        parse_create(read_json(request), CURRENCY)
        order_id = new_id()
        status_url = f"/task/{order_id}"
        body = {"taskId": order_id, "orderId": order_id, "state": "QUEUED", "statusUrl": status_url}
        return Response(orjson.dumps(body), 202, {"Location": status_url}, content_type="application/json")

    @app.get("/readyz")
    def ready() -> Response:
        return Response()

    return app
