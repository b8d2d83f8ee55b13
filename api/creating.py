"""New orders, answered where they are read: on the event loop, without a task, a thread or another form of the request.

It is most of what this API is asked, and needs nothing but Redis, so uvicorn's connection (api/server.py) gives such a
request to a `Creation` instead of the application. The code is that of Flask's view, and many of them share one command
to Redis (api/together.py). One that is not plain (it names a header twice, say) goes the way of every other call, and
what it is answered is the same.
"""

import asyncio
from functools import lru_cache, partial

import redis
from flask import Response
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from werkzeug import Request

from api.accepting import answered, unanswered
from api.json_body import READ_LIMIT
from api.orders import new_order
from api.problems import response_to
from api.together import Together
from tasks.accept import Answer, Submission

METHOD, PATH = "POST", "/order/create"
ASKED = f"{METHOD} {PATH}"
_METHOD, _URL = METHOD.encode(), PATH.encode()

Headers = list[tuple[bytes, bytes]]


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


def _plain(names: list[bytes]) -> bool:
    """Tell whether no header comes twice, and none under a name that WSGI takes for another's: werkzeug reads those."""
    return len(set(names)) == len(names) and b"_" not in b"".join(names)


@lru_cache(maxsize=256)
def _is_json(content_type: str | None) -> bool:
    return Request({"CONTENT_TYPE": content_type or ""}).is_json


class Creation(RequestResponseCycle):
    """One request for a new order on a connection of uvicorn's, from its head to its answer."""

    def __init__(self, connection: HttpToolsProtocol, together: Together) -> None:
        super().__init__(
            scope=connection.scope,
            transport=connection.transport,
            flow=connection.flow,
            logger=connection.logger,
            access_logger=connection.access_logger,
            access_log=False,
            default_headers=connection.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=connection.parser.get_http_version() != "1.0" and connection.parser.should_keep_alive(),
            on_response=connection.on_response_complete,
        )
        self._together = together
        # What comes behind a chunked body is added to the connection's own list, and is none of these.
        self._headers = connection.headers.copy()

    @staticmethod
    def fits(connection: HttpToolsProtocol) -> bool:
        """Tell whether the request whose head has arrived is a plain one for a new order."""
        return (
            connection.url == _URL
            and connection.parser.get_method() == _METHOD
            and (connection.cycle is None or connection.cycle.response_complete)
            and not (connection.expect_100_continue or connection.access_log or connection.flow.write_paused)
            and not connection.parser.should_upgrade()
            and _plain([name for name, _ in connection.headers])
        )

    def on_body(self) -> None:
        """Go on reading; what is longer than is allowed is answered before its end."""
        self.flow.resume_reading()
        if len(self.body) > READ_LIMIT:
            self.carry_out()

    def carry_out(self) -> None:
        """Have the order accepted, and answer then."""
        try:
            body, self.body = bytes(self.body), bytearray()
            submission = new_order(Arrived(self._headers, body))
            accepted = self._together.accept(submission)
        except Exception as error:
            self._answer(response_to(error, ASKED))
        else:
            accepted.add_done_callback(partial(self._on_accepted, submission))

    def _on_accepted(self, submission: Submission, accepted: "asyncio.Future[Answer]") -> None:
        try:
            response = answered(submission, accepted.result())
        except (redis.RedisError, TimeoutError) as error:
            response = response_to(unanswered(submission, error), ASKED)
        except Exception as error:
            response = response_to(error, ASKED)
        self._answer(response)

    def _answer(self, response: Response) -> None:
        if self.disconnected or self.transport.is_closing():
            return
        head = [STATUS_LINE[response.status_code], *(b"%b: %b\r\n" % header for header in self.default_headers)]
        head += [f"{name.lower()}: {value}\r\n".encode("latin-1") for name, value in response.headers]
        if not self.keep_alive:
            head.append(b"connection: close\r\n")
        self.transport.write(b"".join((*head, b"\r\n", response.get_data())))
        self.response_started = self.response_complete = True
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
