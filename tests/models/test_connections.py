"""A lost connection to Redis is known for one, whoever says so."""

import pytest
import redis
import redis.asyncio
import uvloop

from local.servers import RedisServer
from models.connections import new_async_redis_client


def test_a_connection_that_is_lost_before_a_command_is_sent_is_a_lost_one(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with new_async_redis_client(1.0) as client:
            connection = await client.connection_pool.get_connection()  # type: ignore[no-untyped-call]
            # As uvloop leaves it when the server resets it; by itself that is a matter of microseconds.
            connection._writer.transport.abort()
            await connection._writer.wait_closed()
            with pytest.raises(redis.ConnectionError):
                await connection.send_command("PING")
            await connection.send_command("PING")  # which connects anew
            assert await connection.read_response() == "PONG"

    monkeypatch.setattr("models.connections._redis_options", lambda timeout: _options(redis_server, timeout))
    uvloop.run(main())


def _options(server: RedisServer, timeout: float) -> dict[str, object]:
    return {"port": server.port, "decode_responses": True, "socket_timeout": timeout}
