"""Sessions for Flask: everything that Flask's own offer, under the same names.

::

    from flask import Flask
    from holdfast.flask import Holdfast

    app = Flask(__name__)
    Holdfast(app)

This package knows Flask: its configuration, its requests and responses. What a session does is
decided in ``holdfast.core``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast.flask.devices import end_all, end_others, end_session, end_user, sessions_of
from holdfast.flask.extension import Holdfast
from holdfast.flask.fresh import require_fresh
from holdfast.flask.interface import SessionInterface
from holdfast.flask.secure_cookie import SecureCookieSessionInterface
from holdfast.flask.sessions import (
    NullSession,
    SealedCookieSession,
    SecureCookieSession,
    SessionMixin,
    StoredSession,
    TaggedJSONSerializer,
    session,
    session_json_serializer,
)
from holdfast.flask.stored import StoredSessionInterface
from holdfast.manage import UserSession

if TYPE_CHECKING:
    from holdfast.flask.sealed_cookie import SealedCookieSessionInterface

__all__ = [
    "Holdfast",
    "NullSession",
    "SealedCookieSession",
    "SealedCookieSessionInterface",
    "SecureCookieSession",
    "SecureCookieSessionInterface",
    "SessionInterface",
    "SessionMixin",
    "StoredSession",
    "StoredSessionInterface",
    "TaggedJSONSerializer",
    "UserSession",
    "end_all",
    "end_others",
    "end_session",
    "end_user",
    "require_fresh",
    "session",
    "session_json_serializer",
    "sessions_of",
]


def __getattr__(name: str) -> Any:
    # Imported when asked for, since it takes a while that only who seals should pay.
    if name == "SealedCookieSessionInterface":
        from holdfast.flask.sealed_cookie import (  # noqa: PLC0415  # as above
            SealedCookieSessionInterface,
        )

        return SealedCookieSessionInterface
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
