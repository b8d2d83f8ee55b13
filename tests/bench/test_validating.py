"""The least that validating costs, which the service's CPU is held against, is a server that answers."""

from pathlib import Path

from tests.client import Client
from tests.processes import Servers, eventually, service


def test_an_order_is_checked_on_the_loop_and_nothing_is_stored(servers: Servers, tmp_path: Path) -> None:
    own = Servers(servers.redis_server, servers.mongod, servers.kafka, database="validating", redis_db=15)
    with service(own, tmp_path) as running:
        running.start(
            "validating", "gunicorn", "-k", "bench.bare.validating.Worker", "bench.bare.validating:create_app()"
        )
        client = Client(running.url)
        eventually(lambda: _is_ready(client))
        accepted = client.call("POST", "/order/create", {"userId": "u", "items": [{"productId": "p", "quantity": 1}]})
        refused = client.call("POST", "/order/create", {"userId": "u", "items": []})
    assert accepted.status_code == 202
    assert refused.status_code >= 400
    assert accepted.json()["orderId"] == accepted.json()["taskId"]
    assert own.redis_client().dbsize() == 0


def _is_ready(client: Client) -> bool:
    try:
        return client.get("/readyz").ok
    except OSError:
        return False
