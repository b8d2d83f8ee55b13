"""The orders of a user, answered on their connection (api/on_connection.py): a query on a thread, a message to Redis.

It is what Flask's view does with a request without a query string.
"""

import asyncio
import logging
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import cast

from flask import Response
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.loop import Send, send_parts, start
from api.on_connection import OnConnection
from api.problems import response_to
from api.publishing import PUBLISH_TIMEOUT, Publishing
from api.reading import Selection, everything
from api.routing import IdConverter
from api.stores import BUDGET, SELECTION, order_store_until

METHOD = "GET"
JSON = "application/json"
_METHOD = METHOD.encode()
_URL = re.compile(rf"/order/({IdConverter.regex})".encode())
_log = logging.getLogger(__name__)
_BODY = {b"content-length", b"transfer-encoding"}
"""With one of these a body follows, and how much of it is read at the most is the application's to say."""


class Listing(OnConnection):
    """One request for all orders of a user."""

    def __init__(self, connection: HttpToolsProtocol, threads: ThreadPoolExecutor, publishing: Publishing) -> None:
        super().__init__(connection, METHOD)
        self._threads, self._publishing = threads, publishing
        self._user_id = connection.url.decode().rpartition("/")[2]
        self._tasks = connection.tasks

    @classmethod
    def fits(cls, connection: HttpToolsProtocol) -> bool:
        """Tell whether the request whose head has arrived is a plain one for a user's orders, and has no body."""
        return (
            connection.parser.get_method() == _METHOD
            and _URL.fullmatch(connection.url) is not None
            and _BODY.isdisjoint(name for name, _ in connection.headers)
            and cls.is_plain(connection)
        )

    def carry_out(self) -> None:
        """Read the orders on a thread, and go on with what it finds."""
        task = asyncio.get_running_loop().create_task(self._answer_with_orders())
        self._tasks.add(task)  # among those that the server waits for when it ends
        task.add_done_callback(self._tasks.discard)

    async def _answer_with_orders(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            found, until = await loop.run_in_executor(self._threads, partial(_orders_of, self._user_id))
            await self._publishing.ask(self._user_id, min(PUBLISH_TIMEOUT, until - time.monotonic()))
        except Exception as error:
            self.answer(response_to(error, f"{METHOD} /order/{self._user_id}"))
            return
        if isinstance(found, bytes):
            self.answer(Response(found, content_type=JSON))
        else:
            await self._send_parts(found)

    async def _send_parts(self, parts: Iterator[bytes]) -> None:
        head = start("200 OK", [("Content-Type", JSON)])
        try:
            await send_parts(self._threads, self.receive, cast("Send", self.send), head, parts)
        except Exception as error:
            _log.warning("the orders of user %s break off: %s", self._user_id, type(error).__name__)
            self.transport.close()


def _orders_of(user_id: str) -> tuple[bytes | Iterator[bytes], float]:
    """Return the orders, and until when (on the monotonic clock) their request may wait for Redis, too."""
    until = time.monotonic() + BUDGET
    with order_store_until(until - SELECTION) as orders:
        return everything(orders, Selection(user_id, status=None, after=None, limit=None)), until
