"""Whose a session is, read from what an application keeps in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any
from uuid import UUID

from holdfast.errors import UnstorableValue

# Flask-Login's key.
FRESH = "_fresh"


class Users:
    """Read a user's id from the first of ``keys`` that a session has.

    Text is the id, of a whole number or a UUID its text; None and the empty text are nobody.
    Anything else is ignored, and ``warn`` is called with a sentence that says so.
    """

    def __init__(self, keys: tuple[str, ...], warn: Callable[[str], None]) -> None:
        self.keys = keys
        self.warn = warn

    def of(self, mapping: Mapping[str, Any]) -> str | None:
        """Return the id of the user whose contents these are; None for nobody."""
        for key in self.keys:
            value = mapping.get(key)
            if value is None:
                continue
            user_id = text_of(value)
            if user_id is None:
                self.warn(
                    f"session[{key!r}] is a {type(value).__name__}, and no text, whole number or"
                    " UUID that can be a user's id, so this session is taken for nobody's; keep one"
                    " there, or name other keys in SESSION_USER_KEYS"
                )
            return user_id or None
        return None


def id_of(user_id: object) -> str:
    """Return a user's id as text; raises :exc:`holdfast.UnstorableValue` for what can be none."""
    text = text_of(user_id)
    if not text:
        path = "user_id"
        raise UnstorableValue(path, "an id is text that is not empty, a whole number or a UUID")
    return text


def text_of(value: object) -> str | None:
    """Return a user's id as text; None for what can be none."""
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            return str(int(value))
        if isinstance(value, UUID):
            return str(value)
        if isinstance(value, str):
            value.encode()
            return str(value)
    except ValueError:
        pass  # more digits than Python turns into text, or half of a surrogate pair
    return None


def is_remembered(mapping: Mapping[str, Any]) -> bool:
    """Return whether Flask-Login says that the user did not log in, but was remembered."""
    return mapping.get(FRESH) is False


def confirm(mapping: MutableMapping[str, Any]) -> None:
    """Have Flask-Login say that the user has authenticated, if it said otherwise."""
    if is_remembered(mapping):
        mapping[FRESH] = True
