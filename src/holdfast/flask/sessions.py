"""The sessions that a Flask application sees, and the JSON in which they are kept."""

from __future__ import annotations

import os
from typing import Any, cast

import flask
import flask.json
import flask.sessions
from flask.json.tag import TaggedJSONSerializer as _FlaskTaggedJSONSerializer

from holdfast.core import loading, tagged_json
from holdfast.core.full_session import FullSession
from holdfast.core.session import NullSession as _NullSession, Session

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=loading.renew)


class SessionMixin(flask.sessions.SessionMixin):
    """What a session of your own needs beside a mapping; the pessimistic answers.

    ``modified`` is True, so that such a session is always saved; ``accessed`` is what the running
    Flask makes it.
    """

    new = False
    modified = True

    @property
    def permanent(self) -> bool:
        """Whether the session outlives the browser; kept under the key ``_permanent``."""
        value: bool = self.get("_permanent", False)
        return value

    @permanent.setter
    def permanent(self, value: bool) -> None:
        self["_permanent"] = bool(value)


class SecureCookieSession(Session, SessionMixin, flask.sessions.SecureCookieSession):
    """A session that lives in a signed cookie: a ``dict`` that is decoded when first looked at.

    Changes inside nested values are noticed: ``session["cart"].append(item)`` is saved.
    """


class StoredSession(FullSession, SessionMixin):  # type: ignore[override]  # `new` is found out
    """A session that is kept in a store: a ``dict`` that is loaded when first looked at.

    Changes inside nested values are noticed: ``session["cart"].append(item)`` is saved. Beside
    the mapping it tells whose it is and how its user authenticated, and is told who logs in and
    out: see :meth:`log_in`. A subclass's ``__init__`` is not called for the session of a request.
    """


class SealedCookieSession(FullSession, SessionMixin):  # type: ignore[override]  # as above
    """A session that lives in a sealed cookie: a ``dict`` that is opened when first looked at.

    It offers what a :class:`StoredSession` does.
    """


class NullSession(_NullSession, SecureCookieSession, flask.sessions.NullSession):
    """What stands in when no secret key is set: reading works, writing raises.

    The error is :exc:`holdfast.SessionUnavailable`, a ``RuntimeError`` that says what to do.
    """


class NullFullSession(NullSession):
    """The same, where sessions are sealed: what they offer beside the mapping raises, too."""

    def __getattr__(self, name: str) -> Any:
        if hasattr(FullSession, name):
            self._refuse()
        raise AttributeError(name)


class TaggedJSONSerializer(tagged_json.TaggedJSONSerializer, _FlaskTaggedJSONSerializer):
    """Tagged JSON, with the JSON provider of the current application.

    More types can be registered with :meth:`register`, on :data:`session_json_serializer` or on
    an instance that an interface has as its ``serializer``.
    """

    def dumps(self, value: Any) -> str:
        """Return tagged JSON as text."""
        return flask.json.dumps(self.tag(value), separators=(",", ":"))

    def loads(self, value: str) -> Any:
        """Return what tagged JSON text stands for."""
        return self.untag_within(flask.json.loads(value))


session_json_serializer = TaggedJSONSerializer()

session = cast("StoredSession", flask.session)
"""The session of the current request: Flask's proxy, typed as what a stored session offers.

One in a signed cookie has the mapping and ``permanent`` alone.
"""
