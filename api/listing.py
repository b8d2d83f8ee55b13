"""The orders of a user, answered on their connection (api/on_connection.py): a query on a thread, a message to Redis.

It is what Flask's view does with a request without a query string.
"""

import asyncio
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
from api.publishing import Publishing
from api.reading import Selection, everything
from api.routing import IdConverter
from api.stores import BUDGET, SELECTION, order_store_until

METHOD = "GET"
JSON = "application/json"
_METHOD = METHOD.encode()
_URL = re.compile(rf"/order/({IdConverter.regex})".encode())
_BODY = {b"content-length", b"transfer-encoding"}
"""With one of these a body follows, and how much of it is read at the most is the application's to say."""


class Listing(OnConnection):
    """One request for all orders of a user."""

    def __init__(self, connection: HttpToolsProtocol, threads: ThreadPoolExecutor, publishing: Publishing) -> None:
        super().__init__(connection, METHOD)
        self._threads, self._publishing = threads, publishing
        self._user_id = connection.url.decode().rpartition("/")[2]

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
        self._task = asyncio.get_running_loop().create_task(self._answer_with_orders())

    async def _answer_with_orders(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._threads, partial(_orders_of, self._user_id))
            await self._publishing.ask(self._user_id)
        except Exception as error:
            self.answer(response_to(error, f"{METHOD} /order/{self._user_id}"))
            return
        if isinstance(found, bytes):
            self.answer(Response(found, content_type=JSON))
        else:
            head = start("200 OK", [("Content-Type", JSON)])
            await send_parts(self._threads, self.receive, cast("Send", self.send), head, found)


def _orders_of(user_id: str) -> bytes | Iterator[bytes]:
    with order_store_until(time.monotonic() + BUDGET - SELECTION) as orders:
        return everything(orders, Selection(user_id, status=None, after=None, limit=None))
