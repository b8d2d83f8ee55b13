"""Load over HTTP: many connections that post orders one after the other, and leave the CPU to the service."""

import asyncio
import json
import time
from dataclasses import dataclass, field

PRODUCTS = 100
CUSTOMERS = 1000
_HEAD = (
    b"POST /order/create HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
)


@dataclass
class Posted:
    """What was answered: the ids of accepted orders, other statuses, and how long it took (s)."""

    order_ids: list[str] = field(default_factory=list)
    refused: dict[int, int] = field(default_factory=dict)
    seconds: float = 0.0


def post_orders(port: int, connections: int, seconds: float) -> Posted:
    """Post orders over so many connections for so long."""
    return asyncio.run(_post_orders(port, connections, seconds))


async def _post_orders(port: int, connections: int, seconds: float) -> Posted:
    posted = Posted()
    began = time.monotonic()
    await asyncio.gather(*(_connection(port, place, began + seconds, posted) for place in range(connections)))
    posted.seconds = time.monotonic() - began
    return posted


async def _connection(port: int, place: int, until: float, posted: Posted) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    turn = place
    while time.monotonic() < until:
        writer.write(_request(turn))
        status, body = await _answer(reader)
        if status in {201, 202}:
            posted.order_ids.append(json.loads(body)["orderId"])
        else:
            posted.refused[status] = posted.refused.get(status, 0) + 1
        turn += 1
    writer.close()
    await writer.wait_closed()


def _request(turn: int) -> bytes:
    order = {
        "userId": f"customer-{turn * 7 % CUSTOMERS}",
        "items": [{"productId": f"product-{turn * 13 % PRODUCTS}", "quantity": 1, "unitPrice": "19.90"}],
        "shippingAddress": {"name": "Ada Lovelace", "street": "12 St James's Square", "city": "London"},
    }
    body = json.dumps(order).encode()
    return _HEAD % len(body) + body


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    status = int(lines[0].split(" ", 2)[1])
    headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
    return status, await reader.readexactly(int(headers.get("content-length", 0)))
