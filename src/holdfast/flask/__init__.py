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

from holdfast.flask.devices import end_all, end_others, end_session, end_user, sessions_of
from holdfast.flask.extension import Holdfast
from holdfast.flask.fresh import require_fresh
from holdfast.flask.interface import SessionInterface
from holdfast.flask.secure_cookie import SecureCookieSessionInterface
from holdfast.flask.sessions import (
    NullSession,
    SecureCookieSession,
    SessionMixin,
    StoredSession,
    TaggedJSONSerializer,
    session,
    session_json_serializer,
)
from holdfast.flask.stored import StoredSessionInterface
from holdfast.manage import UserSession

__all__ = [
    "Holdfast",
    "NullSession",
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
