"""Pages for which a user must have authenticated lately: sudo mode."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import ParamSpec, TypeVar

import flask

from holdfast.core.full_session import names_of
from holdfast.errors import ConfigurationError, ReauthenticationRequired
from holdfast.flask.devices import full_sessions
from holdfast.flask.sessions import session

P = ParamSpec("P")
T = TypeVar("T")


def require_fresh(
    within: timedelta = timedelta(minutes=5), methods: Iterable[str] = ()
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Have a view called only for who authenticated within a time, by each of the methods.

    For others it raises :exc:`holdfast.ReauthenticationRequired`; handle that with a redirect to a
    form, which calls ``session.reauthenticated()``. ASVS 5.0, 7.5.1 and 7.5.3.
    """
    given: object = within
    if not isinstance(given, timedelta) or given <= timedelta():
        msg = f"within must be a positive timedelta, not {within!r}; write @require_fresh()"
        raise ConfigurationError(msg)
    needed = names_of(methods)

    def decorate(view: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(view)
        def fresh(*args: P.args, **kwargs: P.kwargs) -> T:
            full_sessions()
            if not session.is_fresh(within, needed):
                user_id = session.user_id or session.withheld_user_id
                raise session.outage or ReauthenticationRequired(user_id, within, needed)
            answer: T = flask.current_app.ensure_sync(view)(*args, **kwargs)
            return answer

        return fresh

    return decorate
