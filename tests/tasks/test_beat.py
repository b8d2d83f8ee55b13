"""Beat looks after all stores from its start, and goes on after whatever happens to Redis.

Without it no event that was left in an outbox is ever sent, and a new MongoDB has no indexes.
"""

from functools import partial
from pathlib import Path

from local.processes import Child
from local.servers import KafkaBroker, Mongod, RedisServer
from tests.processes import Servers, eventually, service


def _failed_again(beat: Child, seen: int) -> bool:
    return beat.log.read_text().count("Couldn't apply") > seen


def test_a_new_mongodb_has_its_indexes_as_soon_as_beat_starts(servers: Servers, tmp_path: Path) -> None:
    own = Servers(servers.redis_server, servers.mongod, servers.kafka, database="new", redis_db=6)
    with service(own, tmp_path / "logs") as running:
        running.worker("publish")
        running.beat()
        # Half of the interval: what is due for the first time only after one would come too late.
        eventually(
            lambda: {"user_newest_first", "unsent_oldest_first"} <= own.orders().index_information().keys(), within=15
        )


def test_beat_outlasts_a_redis_that_dies_again_and_again(mongod: Mongod, kafka: KafkaBroker, tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "redis")
    server.start()
    own = Servers(server, mongod, kafka)
    client = own.redis_client()
    with service(own, tmp_path / "logs", OUTBOX_SWEEP_SECONDS="0.2") as running:
        beat = running.beat()
        for _ in range(6):
            eventually(lambda: client.llen("publish") > 0, within=40)
            server.kill()
            seen = beat.log.read_text().count("Couldn't apply")
            eventually(partial(_failed_again, beat, seen), within=40)
            server.start()
            client.delete("publish")
        eventually(lambda: client.llen("publish") > 0, within=40)
    server.stop()
