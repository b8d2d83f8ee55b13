"""The service's API without what makes it one: Flask checks an order as the service does, and answers.

Flask runs inside the service's own HTTP server, on its loop: no other way to run it here costs less. Nothing is stored.
`gunicorn -k bench.bare.validating.Worker 'bench.bare.validating:create_app()'`
"""

from concurrent.futures import ThreadPoolExecutor

import orjson
from flask import Flask, Response, request
from uvicorn_worker import UvicornWorker

import api.server
from api.bodies import parse_create
from api.json_body import read_json
from api.loop import Environment, Loop, Receive, Send, start
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


class Inline(Loop):
    """The service's loop, with every request answered by the application on the loop itself: no thread is waked."""

    async def _call(self, environ: Environment, _receive: Receive, send: Send) -> None:
        response = Response.from_app(self._app.wsgi_app, environ, buffered=True)
        await send(start(response.status, list(response.headers)))
        await send({"type": "http.response.body", "body": response.get_data()})


class Worker(api.server.Worker):
    """The service's gunicorn worker around that loop."""

    async def _serve(self) -> None:
        self.wsgi = Inline(self.wsgi, ThreadPoolExecutor(1))
        await UvicornWorker._serve(self)
