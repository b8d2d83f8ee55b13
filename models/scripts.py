"""Calls of Lua scripts that share a round trip: scripts that need not know of each other, and one answer's wait."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis
from redis.commands.core import Script
from redis.exceptions import NoScriptError


@dataclass(frozen=True, slots=True)
class Call:
    """A script with what it is called with."""

    script: Script
    keys: Sequence[str]
    args: Sequence[str | bytes | float]


def call_all(client: "redis.Redis", calls: Sequence[Call], *, raise_on_error: bool = True) -> list[Any]:
    """Run these in their order, whether or not one of them fails; return their answers.

    redis-py's own pipelines ask first whether the server knows the scripts, which is another round trip. A server that
    was started anew knows none: those it misses are run after the others.

    Raises
    ------
    redis.RedisError
        where Redis is away: what was run then is not known. And the first script's that failed, unless
        `raise_on_error` is False: then its error is its answer.

    """
    answers = _ask(client, calls)
    missed = [place for place, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
    for text in {calls[place].script.script for place in missed}:
        client.script_load(text)
    for place, answer in zip(missed, _ask(client, [calls[place] for place in missed]), strict=True):
        answers[place] = answer
    for answer in answers:
        if raise_on_error and isinstance(answer, Exception):
            raise answer
    return answers


def _ask(client: "redis.Redis", calls: Sequence[Call]) -> list[Any]:
    if not calls:
        return []
    with client.pipeline(transaction=False) as pipeline:
        for call in calls:
            pipeline.evalsha(call.script.sha, len(call.keys), *call.keys, *call.args)
        return pipeline.execute(raise_on_error=False)
