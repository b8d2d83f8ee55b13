"""Customers, as logins tell of them: their e-mail and whether they want notifications."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from models.scripts import Call, call_all

EMAIL_KEY = "user:email"
PREFERENCES_KEY = "user:preferences"
"""Read where stock is moved (move_stock.lua), so that nobody's order waits for them."""

_LEARN = (Path(__file__).parent / "learn_customer.lua").read_text()
_EMAILS = "return redis.call('HMGET', KEYS[1], unpack(ARGV))"


@dataclass(frozen=True, slots=True)
class Login:
    """What one login tells; None tells nothing. `at` is in milliseconds since 1970."""

    user_id: str
    email: str | None
    preferences: dict[str, Any] | None
    at: int
    source: str
    offset: int


class Customers:
    """The customers in one Redis."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client
        self._learn = client.register_script(_LEARN)
        self._emails = client.register_script(_EMAILS)

    def learn(self, logins: Sequence[Login]) -> None:
        """Store what is newer than what is known. A missing field erases nothing."""
        calls = []
        for login in logins:
            told = {
                EMAIL_KEY: login.email,
                PREFERENCES_KEY: None if login.preferences is None else json.dumps(login.preferences),
            }
            known: dict[str, str] = {key: value for key, value in told.items() if value is not None}
            if known:
                keys = [name for key in known for name in (key, f"{key}:learnt")]
                args: list[str | int] = [login.user_id, login.at, login.source, login.offset, *known.values()]
                calls.append(Call(self._learn, keys, args))
        call_all(self._client, calls)

    def emails(self, user_ids: Iterable[str]) -> dict[str, str]:
        """Return the e-mails of these, by user, as far as they are known."""
        users = list(dict.fromkeys(user_ids))
        return found_emails(users, call_all(self._client, self.asking_emails(users)))

    def asking_emails(self, users: Sequence[str]) -> list[Call]:
        """Return the call that `emails` makes, for those who have others to make together with it."""
        return [Call(self._emails, [EMAIL_KEY], users)] if users else []


def found_emails(users: Sequence[str], answers: Sequence[list[str | None]]) -> dict[str, str]:
    """Return the e-mails that were answered for these."""
    return {user: email for answer in answers for user, email in zip(users, answer, strict=True) if email is not None}
