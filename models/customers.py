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
_LEARN = (Path(__file__).parent / "learn_customer.lua").read_text()


@dataclass(frozen=True, slots=True)
class Login:
    """What one login tells; None tells nothing. `at` is in milliseconds since 1970."""

    user_id: str
    email: str | None
    preferences: dict[str, Any] | None
    at: int
    source: str
    offset: int


@dataclass(frozen=True, slots=True)
class Customer:
    """What is known of a customer; one who has not said anything wants to hear of orders."""

    email: str | None
    wants_notifications: bool


class Customers:
    """The customers in one Redis."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client
        self._learn = client.register_script(_LEARN)

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

    def find(self, user_ids: Iterable[str]) -> dict[str, Customer]:
        """Return what is known of each of these, by user, in one round trip."""
        if not (users := list(dict.fromkeys(user_ids))):
            return {}
        with self._client.pipeline(transaction=False) as pipeline:
            pipeline.hmget(EMAIL_KEY, users)
            pipeline.hmget(PREFERENCES_KEY, users)
            emails, preferences = pipeline.execute()
        return {
            user: Customer(email, notifications_wanted(told))
            for user, email, told in zip(users, emails, preferences, strict=True)
        }


def notifications_wanted(preferences: str | None) -> bool:
    """Tell a no (`notifications: false`, `notifications.orders: false`) from a yes, which is anything else."""
    try:
        found = json.loads(preferences or "{}")
    except ValueError:
        return True
    setting = found.get("notifications") if isinstance(found, dict) else None
    if isinstance(setting, dict):
        setting = setting.get("orders")
    return setting is not False
