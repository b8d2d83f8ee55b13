"""The transport's Lua scripts, ready to be called; each says at its top what it wants and returns."""

from pathlib import Path

import redis

COUNTS = "counts"
"""The hash in which every safeguard counts how often it fired."""

MOST_MESSAGES = 500
MOST_BYTES = 1_000_000
"""What one script takes or puts back at most, so that Redis is there for others within 100 ms."""

_HERE = Path(__file__).parent


def _text(*names: str) -> str:
    return "".join((_HERE / f"{name}.lua").read_text() for name in names)


_TAKE = _text("take")
_REQUEUE = _text("put_back", "requeue")
_RESTORE = _text("put_back", "restore")
_RENEW = _text("renew")
_SET_ASIDE = _text("set_aside")


class Scripts:
    """The scripts of one client."""

    def __init__(self, client: "redis.Redis") -> None:
        self.take = client.register_script(_TAKE)
        self.requeue = client.register_script(_REQUEUE)
        self.restore = client.register_script(_RESTORE)
        self.renew = client.register_script(_RENEW)
        self.set_aside = client.register_script(_SET_ASIDE)
