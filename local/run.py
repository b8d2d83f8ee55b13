"""`make run` and `make demo`: brings the stack up, shows one order's journey, and takes everything down again."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from local.errors import LocalError
from local.journey import Journey
from local.screen import Screen
from local.stack import Stack
from models.connections import redis_client
from settings import settings

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = 130


def run(root: Path, *, stay: bool) -> int:
    """Start, show, and stay until Ctrl-C where `stay`; return the exit code."""
    screen = Screen()
    _on_ending(_interrupt)
    try:
        stack = Stack(root, screen)
        try:
            return _up(stack, screen, stay=stay)
        finally:
            _on_ending(stack.kill)  # whoever asks twice is in a hurry
            stack.stop()
    except LocalError as error:
        screen.fail(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED


def _up(stack: Stack, screen: Screen, *, stay: bool) -> int:
    stack.start()
    screen.table(stack.places())
    code = _show_journey(stack, screen)
    if stay:
        screen.say("\nRunning. Ctrl-C stops everything.")
        _wait_for_the_end()
    return code


def _show_journey(stack: Stack, screen: Screen) -> int:
    try:
        for step in Journey(stack.url, settings().kafka_broker, redis_client(5.0)).steps():
            screen.done(step.what, step.seen, step.milliseconds / 1000)
    except LocalError as error:
        screen.fail(f"the journey ended here: {error}\nLogs: {stack.state.logs}")
        return error.exit_code
    return 0


def _wait_for_the_end() -> None:
    """Return on Ctrl-C, and when the `make` that started this is killed."""
    parent = os.getppid()
    under_make = "MAKELEVEL" in os.environ
    try:
        while not under_make or os.getppid() == parent:
            time.sleep(0.5)
    except KeyboardInterrupt:
        return


def _on_ending(act: Callable[[], None]) -> None:
    for number in ENDINGS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup is respected
            signal.signal(number, lambda *_: act())


def _interrupt() -> None:
    raise KeyboardInterrupt
