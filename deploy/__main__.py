"""The image's entry point: `python -m deploy all`, or one kind of process: `python -m deploy worker orders`."""

import argparse
import logging
import os
import sys

from deploy import processes
from deploy.heartbeats import NoHeartbeatError
from deploy.processes import QUEUES, Process
from deploy.supervisor import Supervisor
from settings import settings

ONE_KIND = {
    "api": (processes.api, "the HTTP API"),
    "beat": (processes.beat, "Celery beat, once only"),
    "bridge": (processes.bridge, "Kafka's messages into tasks"),
    "flower": (processes.flower, "Flower on port 5555; needs FLOWER_BASIC_AUTH=user:password"),
}


def main() -> None:
    """Become the one process that was asked for, or run the whole service."""
    parser = _parser()
    asked = parser.parse_args()
    settings()  # a wrong value ends the container here, with one line
    if asked.kind == "flower" and not os.environ.get("FLOWER_BASIC_AUTH"):
        parser.error("FLOWER_BASIC_AUTH is not set, and without it Flower shows everything to everybody")
    try:
        if asked.kind == "all":
            sys.exit(_run_all())
        _become(processes.worker(asked.queue) if asked.kind == "worker" else ONE_KIND[asked.kind][0]())
    except NoHeartbeatError as error:
        parser.error(str(error))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="order-service")
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="what")
    kinds.add_parser("all", help="the whole service: api, a worker on each queue, beat and bridge")
    worker = kinds.add_parser("worker", help="a worker on one queue")
    worker.add_argument("queue", choices=QUEUES)
    for name, (_, help_) in ONE_KIND.items():
        kinds.add_parser(name, help=help_)
    return parser


def _run_all() -> int:
    logging.basicConfig(level=settings().log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    return Supervisor(processes.whole_service()).run()


def _become(process: Process) -> None:
    os.execve(process.command[0], process.command, process.environment())  # noqa: S606


if __name__ == "__main__":
    main()
