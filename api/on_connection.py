"""Requests that are answered where they are read: on the event loop, without another form of the request.

Most of what this API is asked is of two kinds (api/creating.py, api/listing.py), so uvicorn's connection
(api/server.py) gives such a request to one of these instead of the application. A request that is not plain (it names a
header twice, say) goes the way of every other call, and what it is answered is the same.
"""

import asyncio

from flask import Response
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

Headers = list[tuple[bytes, bytes]]


class OnConnection(RequestResponseCycle):
    """One request on a connection of uvicorn's, from its head to its answer."""

    def __init__(self, connection: HttpToolsProtocol, method: str) -> None:
        connection.scope["method"] = method
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

    @staticmethod
    def is_plain(connection: HttpToolsProtocol) -> bool:
        """Tell whether nothing about the request whose head has arrived needs a closer look."""
        return (
            (connection.cycle is None or connection.cycle.response_complete)
            and not (connection.expect_100_continue or connection.access_log or connection.flow.write_paused)
            and not connection.parser.should_upgrade()
            and _are_plain([name for name, _ in connection.headers])
        )

    def on_body(self) -> None:
        """Go on reading."""
        self.flow.resume_reading()

    def carry_out(self) -> None:
        """Do what is asked, and answer; the request has arrived, or is too long, and nothing was answered yet."""
        raise NotImplementedError

    def answer(self, response: Response) -> None:
        """Answer, unless nobody listens any more."""
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


def _are_plain(names: list[bytes]) -> bool:
    """Tell whether no header comes twice, and none under a name that WSGI takes for another's: werkzeug reads those."""
    return len(set(names)) == len(names) and b"_" not in b"".join(names)
