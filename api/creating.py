"""New orders, answered on their connection (api/on_connection.py): they need nothing but Redis.

The code is that of Flask's view, and many of them share one command to Redis (api/together.py).
"""

import asyncio
from functools import lru_cache, partial

import redis
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from werkzeug import Request

from api.accepting import answered, unanswered
from api.json_body import READ_LIMIT
from api.on_connection import Headers, OnConnection
from api.orders import new_order
from api.problems import response_to
from api.together import Together
from tasks.accept import Answer, Submission

METHOD, PATH = "POST", "/order/create"
ASKED = f"{METHOD} {PATH}"
_METHOD, _URL = METHOD.encode(), PATH.encode()


class Arrived:
    """A request that has arrived, with as much of werkzeug's `Request` as a new order is made of."""

    method, path = METHOD, PATH

    def __init__(self, headers: Headers, body: bytes) -> None:
        self.headers = _Named({name.decode("latin-1"): value.decode("latin-1") for name, value in headers})
        self._body = body

    @property
    def is_json(self) -> bool:
        """Tell whether the body says that it is JSON."""
        return _is_json(self.headers.get("Content-Type"))

    def get_data(self) -> bytes:
        """Return the body."""
        return self._body


class _Named(dict[str, str]):
    """Headers by their names, in lower case."""

    def get(self, name: str) -> str | None:  # type: ignore[override]  # less than dict's, as much as is needed
        return super().get(name.lower())


@lru_cache(maxsize=256)
def _is_json(content_type: str | None) -> bool:
    return Request({"CONTENT_TYPE": content_type or ""}).is_json


class Creation(OnConnection):
    """One request for a new order."""

    def __init__(self, connection: HttpToolsProtocol, together: Together) -> None:
        super().__init__(connection, METHOD)
        self._together = together
        # What comes behind a chunked body is added to the connection's own list, and is none of these.
        self._headers = connection.headers.copy()

    @classmethod
    def fits(cls, connection: HttpToolsProtocol) -> bool:
        """Tell whether the request whose head has arrived is a plain one for a new order."""
        return connection.url == _URL and connection.parser.get_method() == _METHOD and cls.is_plain(connection)

    def on_body(self) -> None:
        """Go on reading; what is longer than is allowed is answered before its end."""
        super().on_body()
        if len(self.body) > READ_LIMIT:
            self.carry_out()

    def carry_out(self) -> None:
        """Have the order accepted, and answer then."""
        try:
            body, self.body = bytes(self.body), bytearray()
            submission = new_order(Arrived(self._headers, body))
            accepted = self._together.accept(submission)
        except Exception as error:
            self.answer(response_to(error, ASKED))
        else:
            accepted.add_done_callback(partial(self._on_accepted, submission))

    def _on_accepted(self, submission: Submission, accepted: "asyncio.Future[Answer]") -> None:
        try:
            response = answered(submission, accepted.result())
        except (redis.RedisError, TimeoutError) as error:
            response = response_to(unanswered(submission, error), ASKED)
        except Exception as error:
            response = response_to(error, ASKED)
        self.answer(response)
