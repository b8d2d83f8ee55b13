"""Who is measured: the service, and every peer that bench/peer_processes.py names, some in more than one way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.peer_processes import COMMANDS, SERVICE

API, WORKER = 0, 1
"""Where the API and the worker of orders stand among the commands of the service, and of the textbook's."""


@dataclass(frozen=True)
class Contestant:
    """One way to run the service or a peer: with these environment variables, and these of its commands (all).

    A `thorough` one is left out where there is little time.
    """

    name: str
    peer: str
    environment: Mapping[str, str] = field(default_factory=dict)
    commands: Sequence[str] | None = None
    thorough: bool = False


OURS = Contestant(SERVICE, SERVICE)
NODE_IN_TWO = Contestant("node, 2 processes", "node", {"WORKERS": "2"}, thorough=True)
FASTAPI_IN_TWO = Contestant("fastapi, 2 processes", "fastapi", {"WORKERS": "2"}, thorough=True)


def peer(name: str) -> Contestant:
    """Return the peer as its README starts it."""
    return Contestant(name, name)


def everyone() -> list[Contestant]:
    """Return the service, then the peers; two of them also in two processes, for their better figure is what counts."""
    peers = [peer(name) for name in COMMANDS if name != SERVICE]
    return [OURS, *peers, NODE_IN_TWO, FASTAPI_IN_TWO]
