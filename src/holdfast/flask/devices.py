"""A user's sessions, of the current application: list them, and end them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

import flask

from holdfast import manage
from holdfast.core.engine import Engine
from holdfast.core.outcome import Steps
from holdfast.core.store import Store
from holdfast.core.users import id_of
from holdfast.drive import run
from holdfast.errors import ConfigurationError, StoreUnavailable
from holdfast.flask.full import FullSessionInterface
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
    check_listed()
    text, current = id_of(user_id), session.handle if flask.has_request_context() else None
    return _performed(lambda engine, now: manage.sessions_of(engine, text, now, current))


def end_session(user_id: UserId, handle: str) -> bool:
    """End one of a user's sessions, at once; return whether there was one of that handle.

    A handle of another user's session ends nothing. Raises as :func:`sessions_of`.
    """
    check_listed()
    text = id_of(user_id)
    return _performed(lambda engine, now: manage.end_session(engine, text, handle, now))


def end_others() -> int | None:
    """End all sessions of the current session's user but this one; return how many.

    For whoever changed a password (ASVS 5.0, 7.4.3). Stored sessions end at once; those in sealed
    cookies within ``revocation_max_age``, and nobody knows how many there were: None. Raises
    :exc:`holdfast.NotSignedIn` if it is nobody's session, :exc:`holdfast.ConfigurationError` where
    sessions can't be ended, and :exc:`holdfast.StoreUnavailable`.
    """
    return _performed(lambda engine, now: manage.end_others(engine, session, now))


def end_user(user_id: UserId) -> int | None:
    """End all sessions of a user; return how many (ASVS 5.0, 7.4.2).

    As for :func:`end_others`.
    """
    text = id_of(user_id)
    return _performed(lambda engine, now: manage.end_user(engine, text, now))


def end_all() -> int | None:
    """End everybody's sessions; return how many (ASVS 5.0, 7.4.5).

    As for :func:`end_others`. For stored ones it takes the longer the more there are.
    """
    return _performed(lambda engine, _: manage.end_all(engine, time.time))


def full_sessions() -> FullSessionInterface:
    """Return the current application's interface; ConfigurationError if nobody can sign in."""
    interface = flask.current_app.session_interface
    if not isinstance(interface, FullSessionInterface):
        msg = (
            "this takes sessions in a store or in sealed cookies, and this application's are in"
            " signed ones; give a store, as in Holdfast(app, store='sqlite:///sessions.db'), or"
            " Holdfast(app, seal=True)"
        )
        raise ConfigurationError(msg)
    return interface


def check_listed() -> None:
    """Raise :exc:`holdfast.ConfigurationError` where sessions live in cookies, listed nowhere."""
    if not isinstance(full_sessions(), StoredSessionInterface):
        msg = (
            "sessions in cookies are listed nowhere; to list them and end one of them, keep them in"
            " a store, as in Holdfast(app, store='sqlite:///sessions.db', seal=True)"
        )
        raise ConfigurationError(msg)


def store_of_sessions() -> Store:
    """Return where ended sessions are noted, or all kept; ConfigurationError for nowhere."""
    store: Store | None = full_sessions().store
    if store is None:
        msg = (
            "sessions in cookies can't be ended on the server without a list of those that were;"
            " give one, as in Holdfast(app, seal=True, revocations='sqlite:///ended.db')"
        )
        raise ConfigurationError(msg)
    return store


def _performed(use_case: Callable[[Engine, int], Steps[T]]) -> T:
    store = store_of_sessions()
    app: Any = flask.current_app
    engine = full_sessions().engine(app._get_current_object())  # noqa: SLF001  # Flask's own way
    try:
        return run(store, use_case(engine, int(time.time())))
    except StoreUnavailable as error:
        engine.tell_unavailable(None, error)
        raise
