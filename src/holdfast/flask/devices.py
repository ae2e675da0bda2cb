"""A user's sessions, of the current application: list them, and end them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

import flask

from holdfast import manage
from holdfast.core.outcome import Steps
from holdfast.core.stored import StoredEngine
from holdfast.core.users import id_of
from holdfast.drive import run
from holdfast.errors import ConfigurationError, NotSignedIn
from holdfast.flask.sessions import session
from holdfast.flask.stored import StoredSessionInterface
from holdfast.manage import UserSession

T = TypeVar("T")
UserId = str | int | UUID


def sessions_of(user_id: UserId) -> list[UserSession]:
    """Return a user's sessions, the last active one first; one of them may be that of this request.

    Raises :exc:`holdfast.ConfigurationError` where sessions live in cookies, and
    :exc:`holdfast.StoreUnavailable`.
    """
    stored_sessions()
    text, current = id_of(user_id), session.handle if flask.has_request_context() else None
    return _performed(lambda engine, now: manage.sessions_of(engine, text, now, current))


def end_session(user_id: UserId, handle: str) -> bool:
    """End one of a user's sessions, at once; return whether there was one of that handle.

    A handle of another user's session ends nothing. Raises as :func:`sessions_of`.
    """
    text = id_of(user_id)
    return _performed(lambda engine, now: manage.end_session(engine, text, handle, now))


def end_others() -> int:
    """End all sessions of the current session's user but this one, at once; return how many.

    For whoever changed a password (ASVS 5.0, 7.4.3). Raises :exc:`holdfast.NotSignedIn` if it is
    nobody's, and as :func:`sessions_of`.
    """
    stored_sessions()
    user_id, own = session.user_id, session.handle
    if user_id is None:
        raise session.outage or NotSignedIn
    return _performed(lambda engine, now: manage.end_user(engine, user_id, now, but=own))


def end_user(user_id: UserId) -> int:
    """End all sessions of a user, at once; return how many (ASVS 5.0, 7.4.2).

    Raises as :func:`sessions_of`.
    """
    text = id_of(user_id)
    return _performed(lambda engine, now: manage.end_user(engine, text, now))


def end_all() -> int:
    """End everybody's sessions; return how many (ASVS 5.0, 7.4.5).

    It takes the longer the more there are. Raises as :func:`sessions_of`.
    """
    return _performed(manage.end_all)


def stored_sessions() -> StoredSessionInterface:
    """Return the current application's interface; ConfigurationError if it has no store."""
    interface = flask.current_app.session_interface
    if not isinstance(interface, StoredSessionInterface):
        msg = (
            "this takes sessions in a store, and this application's are not; name one, as in"
            " Holdfast(app, store='sqlite:///sessions.db')"
        )
        raise ConfigurationError(msg)
    return interface


def _performed(use_case: Callable[[StoredEngine, int], Steps[T]]) -> T:
    interface = stored_sessions()
    app: Any = flask.current_app
    engine = interface.engine(app._get_current_object())  # noqa: SLF001  # Flask's own way
    return run(interface.store, use_case(engine, int(time.time())))
