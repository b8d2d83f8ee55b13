"""Logins in the shapes in which they come."""

import json
from typing import Any

import pytest

from bridge.shapes import MAX_DEPTH, UnreadableError, read_login
from models.customers import Login
from tests.bridge.messages import ARRIVED, login

EMAIL = "ada@example.com"
PREFERENCES = {"notifications": False, "theme": {"dark": True}}
SHAPES: list[dict[str, Any]] = [
    *[{name: "u-1", "email": EMAIL, "preferences": PREFERENCES} for name in ("userId", "user_id", "id", "_id")],
    *[{nest: {"id": "u-1", "email": EMAIL, "preferences": PREFERENCES}} for nest in ("user", "data", "payload")],
    {"userId": "u-1", "user": {"email": EMAIL}, "preferences": PREFERENCES},
    {"data": {"user": {"_id": "u-1", "email": EMAIL}, "preferences": PREFERENCES}},
    {"id": "event-9", "userId": "u-1", "email": EMAIL, "preferences": PREFERENCES},
    {"specversion": "1.0", "id": "event-9", "data": {"id": "u-1", "email": EMAIL, "preferences": PREFERENCES}},
]


@pytest.mark.parametrize("value", SHAPES, ids=json.dumps)
def test_a_login_is_read_from_every_shape(value: dict[str, Any]) -> None:
    assert read_login(login(value)) == Login("u-1", EMAIL, PREFERENCES, ARRIVED, "user_logged_in/2", 7)


@pytest.mark.parametrize("value", [{}, {"email": None, "preferences": None}])
def test_a_login_need_not_tell_anything_but_who(value: dict[str, Any]) -> None:
    read = read_login(login({"userId": "u-1", **value}))

    assert (read.email, read.preferences) == (None, None)


def test_empty_preferences_are_preferences() -> None:
    assert read_login(login({"userId": "u-1", "preferences": {}})).preferences == {}


def test_a_login_without_a_value_cannot_be_read() -> None:
    with pytest.raises(UnreadableError, match="without a value"):
        read_login(login(None))


@pytest.mark.parametrize("user_id", [None, "", "a b", "u" * 65, True, 1.5, {}])
def test_a_login_of_nobody_cannot_be_read(user_id: object) -> None:
    with pytest.raises(UnreadableError, match="no id"):
        read_login(login({"userId": user_id, "email": EMAIL}))


def test_a_cloud_event_without_a_user_is_not_taken_for_one() -> None:
    with pytest.raises(UnreadableError, match="no id"):
        read_login(login({"specversion": "1.0", "id": "event-9", "data": {"email": EMAIL}}))


@pytest.mark.parametrize("user_id", ["all", "create"])
def test_a_user_with_a_reserved_id_cannot_be_read(user_id: str) -> None:
    with pytest.raises(UnreadableError, match="reserved"):
        read_login(login({"userId": user_id, "email": EMAIL}))


@pytest.mark.parametrize("email", ["", "a" * 321, 5, True, [EMAIL], {"address": EMAIL}])
def test_an_e_mail_that_is_no_text_cannot_be_read(email: object) -> None:
    with pytest.raises(UnreadableError, match="e-mail"):
        read_login(login({"userId": "u-1", "email": email}))


@pytest.mark.parametrize("preferences", ["none", "", 0, False, [], ["notifications"]])
def test_preferences_that_are_no_object_cannot_be_read(preferences: object) -> None:
    with pytest.raises(UnreadableError, match="preferences"):
        read_login(login({"userId": "u-1", "preferences": preferences}))


def test_preferences_may_be_nested_but_not_without_end() -> None:
    def nested(depth: int) -> Any:
        return {"more": nested(depth - 1)} if depth else {}

    assert read_login(login({"userId": "u-1", "preferences": nested(MAX_DEPTH - 2)})).preferences
    with pytest.raises(UnreadableError, match="nested"):
        read_login(login({"userId": "u-1", "preferences": nested(MAX_DEPTH)}))
