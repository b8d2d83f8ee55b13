"""gunicorn's worker for the API: uvicorn's event loop, parser and connections, with our limits and our words.

What never becomes a request (bytes that can't be parsed, a head without an end) is answered with a problem here.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn_worker import UvicornWorker

from api.creating import Creation
from api.listing import Listing
from api.loop import Loop
from api.on_connection import OnConnection
from api.problems import PROBLEM_JSON, problem_of_status
from api.publishing import Publishing
from api.together import Together

MAX_URL_BYTES = 4094
MAX_HEAD_BYTES = 16 * 1024
"""Of a request's URL and headers together."""


class TooLargeError(Exception):
    """A request's head is larger than is allowed; uvicorn takes it for one that can't be parsed."""


class Protocol(HttpToolsProtocol):
    """A connection that bounds a request's head, says what was wrong with it, and answers much itself."""

    _head_bytes = 0
    _in_head = True
    _why = HTTPStatus.BAD_REQUEST

    def __init__(
        self,
        *arguments: Any,
        together: Together,
        publishing: Publishing,
        threads: ThreadPoolExecutor,
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self._together, self._publishing, self._threads = together, publishing, threads

    def data_received(self, data: bytes) -> None:
        """Read what came; a head that does not end is not waited for."""
        self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > 2 * MAX_HEAD_BYTES and not self.transport.is_closing():
            self._why = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            self.send_400_response("")

    def on_message_begin(self) -> None:
        """Begin to count."""
        self._head_bytes, self._in_head = 0, True
        # One may be answered, and the connection thought idle, while the next is in the same bytes.
        self._unset_keepalive_if_required()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Have the request answered, unless its head is too large or nobody would hear the answer."""
        self._in_head = False
        if self.transport.is_closing():
            return
        if len(self.url) > MAX_URL_BYTES:
            self._why = HTTPStatus.REQUEST_URI_TOO_LONG
            raise TooLargeError
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MAX_HEAD_BYTES:
            self._why = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            raise TooLargeError
        if Creation.fits(self):
            self.cycle = Creation(self, self._together)
        elif Listing.fits(self):
            self.cycle = Listing(self, self._threads, self._publishing)
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Keep what came of a request's body."""
        super().on_body(body)
        if isinstance(self.cycle, OnConnection) and not self.cycle.response_complete:
            self.cycle.on_body()

    def on_message_complete(self) -> None:
        """Carry out what this connection answers itself, and wait for the next request's head."""
        super().on_message_complete()
        if isinstance(self.cycle, OnConnection) and not self.cycle.response_complete:
            self.cycle.carry_out()
        self._head_bytes, self._in_head = 0, True

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio: bool
        """Answer a caller who has said all, and one whose body ended too early; return whether to stay connected."""
        if self.cycle is None or self.cycle.response_complete:
            return False
        if self.cycle.more_body:
            self.send_400_response("")
            return False
        self.cycle.keep_alive = False
        return True

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - it is uvicorn's, and quotes nothing of ours
        """Say in a problem why this is no request, and close the connection."""
        phrase = self._why.phrase
        body = orjson.dumps(problem_of_status(self._why, phrase, "The request can't be parsed."))
        head = f"HTTP/1.1 {self._why.value} {phrase}\r\nConnection: close\r\nContent-Type: {PROBLEM_JSON}\r\n"
        self.transport.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        self.transport.close()


class Worker(UvicornWorker):  # type: ignore[misc]  # it has no types
    """A gunicorn worker in which an event loop runs around the Flask application."""

    CONFIG_KWARGS = {  # noqa: RUF012 - uvicorn's
        "loop": "uvloop",
        "ws": "none",
        "lifespan": "off",
        "interface": "asgi3",
        "server_header": False,
        "proxy_headers": False,
    }

    async def _serve(self) -> None:
        # Here, not where the application is made: a client of the loop is made in the loop, and after the fork.
        threads = ThreadPoolExecutor(self.cfg.threads, thread_name_prefix="request")
        self.wsgi: Any = Loop(self.wsgi, threads)
        self.config.http = partial(Protocol, together=Together(), publishing=Publishing(), threads=threads)
        await super()._serve()
