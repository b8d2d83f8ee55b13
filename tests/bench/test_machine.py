from redis import Redis

from bench.machine import machine
from local.servers import RedisServer


def test_redis_is_called_what_it_calls_itself(redis_server: RedisServer) -> None:
    with Redis(port=redis_server.port) as client:
        told = client.info()

    assert machine()["Redis"] == f"{told['redis_version']} with {told['mem_allocator']}"
