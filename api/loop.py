"""An event loop around the Flask application: gunicorn's worker hands it requests, as ASGI does.

Each is an ordinary WSGI call on one of a few threads. Most requests don't come here: api/on_connection.py.
"""

import asyncio
import io
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote_to_bytes

from flask import Flask

from api.json_body import READ_LIMIT

Receive = Callable[[], Any]
Send = Callable[[dict[str, Any]], Any]
Environment = dict[str, Any]
Headers = list[tuple[str, str]]


class ClientGoneError(Exception):
    """Nobody is there any more to answer to."""


class Loop:
    """The Flask application as an ASGI one."""

    def __init__(self, app: Flask, threads: ThreadPoolExecutor) -> None:
        self._app = app
        self._threads = threads

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            await self._call(_environment(scope, await _body(receive)), receive, send)
        except ClientGoneError:
            return

    async def _call(self, environ: Environment, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        status, headers, parts = await loop.run_in_executor(self._threads, _wsgi, self._app, environ)
        if isinstance(parts, list):
            await _send_whole(send, status, headers, b"".join(parts))
        else:
            await send_parts(self._threads, receive, send, start(status, headers), parts)


def start(status: str, headers: Headers) -> dict[str, Any]:
    """Return the message with which an answer starts."""
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return {"type": "http.response.start", "status": int(status[:3]), "headers": encoded}


async def send_parts(
    threads: ThreadPoolExecutor, receive: Receive, send: Send, head: dict[str, Any], parts: Any
) -> None:
    """Send an answer whose parts are made on threads, one after the other, as long as somebody listens."""
    loop = asyncio.get_running_loop()
    gone = loop.create_task(_until_gone(receive))
    try:
        await send(head)
        while (part := await loop.run_in_executor(threads, next, parts, None)) is not None:
            if gone.done():
                return
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()
        await loop.run_in_executor(threads, parts.close)


def _wsgi(app: Flask, environ: Environment) -> tuple[str, Headers, "list[bytes] | Any"]:
    """Call the application; return its body as a list where it is whole, else as an iterator with a `close`."""
    started: list[Any] = []

    def start_response(status: str, headers: Headers, _exc_info: Any = None) -> Callable[[bytes], object]:
        started[:] = status, headers
        return lambda _: None

    parts: Any = app.wsgi_app(environ, start_response)
    status, headers = started
    if any(name == "Content-Length" for name, _ in headers):
        whole = list(parts)
        parts.close()
        return status, headers, whole
    return status, headers, parts


def _environment(scope: dict[str, Any], body: bytes) -> Environment:
    """Return the request as WSGI has it (PEP 3333)."""
    server, client = scope["server"], scope["client"] or ("", 0)
    environ: Environment = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        # Not the decoded path: WSGI wants the bytes, whatever they are.
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": client[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").upper().replace("-", "_"), value.decode("latin-1")
        if key not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            key = f"HTTP_{key}"
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    # All of it has arrived, and no longer in chunks.
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    environ["CONTENT_LENGTH"] = str(len(body))
    return environ


async def _body(receive: Receive) -> bytes:
    """Return the request's body, or a little more than is allowed of a larger one."""
    body = b""
    more = True
    while more and len(body) <= READ_LIMIT:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        body += message["body"]
        more = message["more_body"]
    return body


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_whole(send: Send, status: str, headers: Headers, body: bytes) -> None:
    await send(start(status, headers))
    await send({"type": "http.response.body", "body": body})
