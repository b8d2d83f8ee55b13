"""`python -m local run | demo | fetch | clean`: the commands behind the Makefile."""

import argparse
import platform
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ELSEWHERE = "This needs Linux on x86-64; elsewhere use Docker (docker compose up) or servers of your own (README.md)"


def main() -> int:
    """Run one command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="start everything, show one order's journey, stay until Ctrl-C")
    commands.add_parser("demo", help="start everything, show one order's journey, stop")
    commands.add_parser("fetch", help="download what this machine lacks of redis-server, mongod, Kafka and Java")
    commands.add_parser("clean", help="remove .local: the servers' data and the logs")
    return _do(parser.parse_args().command)


def _do(command: str) -> int:
    from local.errors import LocalError, RefusedError

    try:
        if command == "clean":
            _clean()
        elif (platform.system(), platform.machine()) != ("Linux", "x86_64"):
            raise RefusedError(ELSEWHERE)
        elif command == "fetch":
            _fetch()
        else:
            from local.run import run

            return run(ROOT, stay=command == "run")
    except LocalError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def _clean() -> None:
    from local.state import State

    State(ROOT / ".local").remove()


def _fetch() -> None:
    from tempfile import gettempdir

    from local.downloads import ensure
    from local.servers import KafkaBroker, Mongod, RedisServer

    nowhere = Path(gettempdir())
    ensure([download for server in (RedisServer, Mongod, KafkaBroker) for download in server(nowhere).downloads()])


if __name__ == "__main__":
    sys.exit(main())
