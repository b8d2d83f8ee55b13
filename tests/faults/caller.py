"""One customer's connection: JSON over a kept-alive socket, light enough to send hundreds of requests a second."""

import http.client
import json
from typing import Any

PATIENCE = 5.0
"""Seconds a customer waits for an answer; the service promises one within 2.5."""

Answer = tuple[int, Any]


class Caller:
    """Calls one API; not safe to share between threads."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

    def call(self, method: str, path: str, body: Any = None, key: str | None = None) -> Answer | None:
        """Return the status and the JSON of the answer, None where there was no answer."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if key is not None:
            headers["Idempotency-Key"] = key
        try:
            self._connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = self._connection.getresponse()
            raw = answer.read()
            return answer.status, json.loads(raw) if raw else None
        except (OSError, http.client.HTTPException, ValueError):
            self._connection.close()  # the next call opens another
            return None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
