"""Load over HTTP that leaves the CPU to the service: raw connections, requests made beforehand, answers read later.

Closed loop: each of N connections sends its next request when the last one is answered. Open loop: requests are due at
a fixed rate, and latency counts from when a request was due, so that one slow answer does not hide those behind it.
"""

import asyncio
import gc
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, cast

import uvloop

LOST = 0
"""The status of a request whose connection ended before its answer."""

LONGEST = 600.0
"""Seconds of a load that ends by the number of its requests."""

PATIENCE = 60.0
"""Seconds after which answers that are still missing are given up."""


class Answer(NamedTuple):
    """One request's fate; times in seconds since 1970."""

    due: float
    at: float
    status: int
    body: bytes


@dataclass
class Load:
    """All answers of one load, in the order in which they came."""

    began: float
    answers: list[Answer] = field(default_factory=list)
    keep: Callable[[bytes], bytes] = bytes
    ended: float = 0.0

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return len(self.answers) / (self.ended - self.began)


def closed_loop(
    port: int,
    requests: Iterator[bytes],
    connections: int,
    *,
    seconds: float = LONGEST,
    count: int | None = None,
    keep: Callable[[bytes], bytes] = bytes,
) -> Load:
    """Keep so many connections busy for so long, or until so many requests were answered.

    `keep` is what is kept of an answer's body (all of it).
    """
    return _run(
        lambda: _Closed(requests, Load(time.time(), keep=keep), time.monotonic() + seconds, count), port, connections
    )


def open_loop(port: int, requests: Iterator[bytes], rate: float, seconds: float, connections: int = 64) -> Load:
    """Send at a fixed rate for so long, over so many connections; a request may wait for one, on its own time."""
    return _run(lambda: _Open(requests, Load(time.time()), rate, int(rate * seconds)), port, connections)


def _run(loop: "Callable[[], _Closed | _Open]", port: int, connections: int) -> Load:
    async def main() -> Load:
        return await loop().run(port, connections)

    with _no_garbage_collection():
        return uvloop.run(main())


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Keep the collector from walking over all answers again and again; they hold no cycles."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def parse(data: bytes | bytearray) -> tuple[int, int] | None:
    """Return an answer's status and where its body begins, None while something of it is missing."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = bytes(data[:end]).lower()
    place = head.find(b"\r\ncontent-length:")
    if place >= 0:
        whole = len(data) >= end + 4 + int(head[place + 17 :].split(b"\r\n", 1)[0])
    elif b"\r\ntransfer-encoding: chunked" in head:
        whole = data.endswith(b"\r\n0\r\n\r\n")
    else:
        whole = True
    return (int(head[9:12]), end + 4) if whole else None


class _Connection(asyncio.Protocol):
    """One connection with at most one request on its way."""

    def __init__(self, load: Load, free: "Callable[[_Connection], None]") -> None:
        self._load, self._free = load, free
        self._buffer = bytearray()
        self._due: float | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    @property
    def gone(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    def send(self, request: bytes, due: float) -> None:
        assert self._transport is not None
        self._due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        parsed = parse(self._buffer)
        if parsed is not None:
            status, body = parsed
            self._end(status, bytes(self._buffer[body:]))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        self._transport = None
        if self._due is not None:
            self._end(LOST, b"")

    def _end(self, status: int, body: bytes) -> None:
        assert self._due is not None
        self._load.answers.append(Answer(self._due, time.time(), status, self._load.keep(body)))
        self._due = None
        self._buffer.clear()
        self._free(self)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class _Closed:
    def __init__(self, requests: Iterator[bytes], load: Load, until: float, count: int | None) -> None:
        self._requests, self._load, self._until, self._left = requests, load, until, count
        self._busy = 0
        self._done = asyncio.Event()

    async def run(self, port: int, connections: int) -> Load:
        made = await _connect(port, connections, self._load, self._next)
        self._busy, self._load.began = len(made), time.time()
        for connection in made:
            self._next(connection)
        async with asyncio.timeout(self._until - time.monotonic() + PATIENCE):
            await self._done.wait()
        return _closed(self._load, made)

    def _next(self, connection: _Connection) -> None:
        if connection.gone or time.monotonic() > self._until or self._left == 0:
            self._busy -= 1
            if self._busy == 0:
                self._done.set()
            return
        if self._left is not None:
            self._left -= 1
        connection.send(next(self._requests), time.time())


GOLDEN = 0.618
"""By what fraction of a millisecond each request is due later than the one before it, beyond the rate's distance.

Kafka's stamps are whole milliseconds. Requests that are a whole number of them apart would all be cut off by the same
fraction, another one in each run: half a millisecond more or less where three are measured.
"""


class _Open:
    def __init__(self, requests: Iterator[bytes], load: Load, rate: float, count: int) -> None:
        self._requests, self._load, self._rate, self._count = requests, load, rate, count
        self._idle: deque[_Connection] = deque()
        self._due: deque[float] = deque()
        self._done = asyncio.Event()

    async def run(self, port: int, connections: int) -> Load:
        made = await _connect(port, connections, self._load, self._free)
        self._idle.extend(made)
        loop = asyncio.get_running_loop()
        began = loop.time() + 0.01
        self._load.began = time.time() + 0.01
        for number in range(self._count):
            after = number / self._rate + number * GOLDEN % 1 / 1000
            loop.call_at(began + after, self._send, self._load.began + after)
        async with asyncio.timeout(self._count / self._rate + PATIENCE):
            await self._done.wait()
        return _closed(self._load, made)

    def _send(self, due: float) -> None:
        self._due.append(due)
        self._go_on()

    def _free(self, connection: _Connection) -> None:
        if not connection.gone:
            self._idle.append(connection)
        if len(self._load.answers) == self._count:
            self._done.set()
        else:
            self._go_on()

    def _go_on(self) -> None:
        while self._due and self._idle:
            connection = self._idle.popleft()
            if not connection.gone:
                connection.send(next(self._requests), self._due.popleft())


async def _connect(port: int, connections: int, load: Load, free: Callable[[_Connection], None]) -> list[_Connection]:
    loop = asyncio.get_running_loop()
    made = [loop.create_connection(lambda: _Connection(load, free), "127.0.0.1", port) for _ in range(connections)]
    return [protocol for _, protocol in await asyncio.gather(*made)]


def _closed(load: Load, connections: list[_Connection]) -> Load:
    load.ended = time.time()
    for connection in connections:
        connection.close()
    return load
