"""Whose a session is."""

from __future__ import annotations

import enum
import uuid
from typing import Any

import pytest
from markupsafe import Markup

from holdfast.core.users import Users, is_remembered


def whose(mapping: dict[str, Any]) -> tuple[str | None, list[str]]:
    """Return whose contents are, and what was warned of."""
    warned: list[str] = []
    return Users(("_user_id", "user_id"), warned.append).of(mapping), warned


class Role(enum.IntEnum):
    ADMIN = 7


@pytest.mark.parametrize(
    ("value", "user"),
    [("ada", "ada"), ("0", "0"), (7, "7"), (0, "0"), (-3, "-3"), (Role.ADMIN, "7")],
)
@pytest.mark.parametrize("key", ["_user_id", "user_id"])
def test_text_and_whole_numbers_are_ids(key, value, user):
    """Text is a user's id, a whole number its text, under Flask-Login's key or the tutorial's."""
    assert whose({key: value}) == (user, [])


def test_an_id_is_plain_text():
    """An id that is of a subclass of text comes back as plain text."""
    user, _ = whose({"user_id": Markup("ada")})
    assert type(user) is str


@pytest.mark.parametrize("mapping", [{}, {"name": "ada"}, {"_user_id": None}, {"user_id": ""}])
def test_nobody(mapping):
    """A session without a user's key, or with None or the empty text there, is nobody's."""
    assert whose(mapping) == (None, [])


def test_the_first_key_counts():
    """Of several keys the first that is there counts."""
    assert whose({"user_id": "bob", "_user_id": "ada"}) == ("ada", [])
    assert whose({"user_id": "bob", "_user_id": ""}) == (None, [])
    assert whose({"user_id": "bob", "_user_id": None}) == ("bob", [])


@pytest.mark.parametrize(
    "value",
    [True, False, 1.5, [1], {"id": 1}, b"ada", "ada\ud83d", 10**5000],
    ids=lambda value: type(value).__name__,
)
def test_anything_else_is_ignored_with_a_warning(value):
    """Anything else is nobody, and a sentence says so and names the fix, without the value."""
    user, warned = whose({"_user_id": value, "user_id": "bob"})
    assert user is None
    (message,) = warned
    assert message.startswith(f"session['_user_id'] is a {type(value).__name__}")
    assert "SESSION_USER_KEYS" in message
    assert "ada" not in message


@pytest.mark.parametrize(
    ("mapping", "remembered"),
    [({"_fresh": False}, True), ({"_fresh": True}, False), ({}, False), ({"_fresh": 0}, False)],
)
def test_remembered_is_not_logged_in(mapping, remembered):
    """Trap 40: whom Flask-Login remembered did not log in by this request."""
    assert is_remembered(mapping) is remembered


@pytest.mark.parametrize("value", ["half \ud800", 10**5000], ids=["surrogate", "5,000 digits"])
def test_what_no_store_can_keep_is_nobody(value):
    """Text that is not Unicode, and a number too long to be text, are nobody, with a warning."""
    user, warned = whose({"user_id": value})
    assert user is None
    assert len(warned) == 1


def test_a_uuid_is_its_text():
    """A UUID, which many applications have as a user's id, counts as its text."""
    value = uuid.UUID(int=7)
    assert whose({"user_id": value}) == (str(value), [])
