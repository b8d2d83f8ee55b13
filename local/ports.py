"""Free TCP ports on 127.0.0.1."""

import random
import socket

# Below what Linux gives to outgoing connections, so that none of those takes a port between two starts.
LOWEST, HIGHEST = 20_000, 32_000


def free_port(*preferred: int | None) -> int:
    """Return the first of the preferred ones that is free, else any that is."""
    for port in preferred:
        if port is not None and is_free(port):
            return port
    while True:
        port = random.randrange(LOWEST, HIGHEST)
        if is_free(port):
            return port


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Tell whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # closed connections do not count
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True
