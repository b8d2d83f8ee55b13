"""A customer of the HTTP API: speaks over a socket and knows only the contract."""

import socket
import time
from typing import Any
from urllib.parse import urlsplit

import requests


class Client:
    """Calls one API; `state` and `outcome` of a write are asked for as any caller would."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()

    def connected(self) -> socket.socket:
        """Return a new connection, for bytes that no library would send."""
        where = urlsplit(self.url)
        return socket.create_connection((where.hostname, where.port or 0), timeout=10)

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        """Send a request; `body` is sent as JSON."""
        return self.session.request(method, self.url + path, json=body, timeout=30, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        """Send a GET."""
        return self.call("GET", path, **options)

    def accepted(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Send a write that must be accepted; return the body of the 202."""
        answer = self.call(method, path, body)
        assert answer.status_code == 202, answer.text
        accepted: dict[str, Any] = answer.json()
        return accepted

    def ended(self, task_id: str, within: float = 20.0) -> dict[str, Any]:
        """Poll a write's status to its end."""
        deadline = time.monotonic() + within
        while True:
            answer = self.get(f"/task/{task_id}")
            assert answer.status_code == 200, answer.text
            task: dict[str, Any] = answer.json()
            if task["state"] in {"SUCCESS", "FAILURE", "REVOKED"}:
                return task
            assert time.monotonic() < deadline, f"task {task_id} did not end within {within:g} s: {task}"
            time.sleep(0.02)

    def write(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Send a write and return how it ended."""
        return self.ended(self.accepted(method, path, body)["taskId"])

    def create(self, user_id: str, *items: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Create an order and return it; it must have been created."""
        task = self.write("POST", "/order/create", {"userId": user_id, "items": list(items), **more})
        assert task["outcome"] == "created", task
        order: dict[str, Any] = task["order"]
        return order
