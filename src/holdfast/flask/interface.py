"""The point where a framework opens and saves sessions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import flask.sessions

from holdfast.core.cookie_held import wants_cookie
from holdfast.core.cookies import Attributes
from holdfast.flask.sessions import NullSession

if TYPE_CHECKING:
    from flask import Flask, Request, Response


class SessionInterface(flask.sessions.SessionInterface):
    """How Flask opens and saves sessions; the point where custom storage plugs in.

    Implement :meth:`open_session` and :meth:`save_session`; the rest reads Flask's configuration
    at the time of the call, and any method can be overridden.
    """

    null_session_class: type[flask.sessions.NullSession] = NullSession
    pickle_based = False

    def make_null_session(self, app: Flask) -> flask.sessions.NullSession:  # noqa: ARG002  # for overriding
        """Return what stands in when :meth:`open_session` returns None."""
        return self.null_session_class()

    def is_null_session(self, obj: object) -> bool:
        """Return whether ``obj`` stands in for a session; it is never saved."""
        return isinstance(obj, self.null_session_class)

    def get_cookie_name(self, app: Flask) -> str:
        """Return ``SESSION_COOKIE_NAME``."""
        name: str = app.config["SESSION_COOKIE_NAME"]
        return name

    def get_cookie_domain(self, app: Flask) -> str | None:
        """Return ``SESSION_COOKIE_DOMAIN``; with None only the host that set it gets the cookie."""
        domain: str | None = app.config["SESSION_COOKIE_DOMAIN"]
        return domain

    def get_cookie_path(self, app: Flask) -> str:
        """Return ``SESSION_COOKIE_PATH``, or ``APPLICATION_ROOT`` where that is not set."""
        path: str = app.config["SESSION_COOKIE_PATH"] or app.config["APPLICATION_ROOT"]
        return path

    def get_cookie_httponly(self, app: Flask) -> bool:
        """Return ``SESSION_COOKIE_HTTPONLY``: whether scripts can't read the cookie."""
        httponly: bool = app.config["SESSION_COOKIE_HTTPONLY"]
        return httponly

    def get_cookie_secure(self, app: Flask) -> bool:
        """Return ``SESSION_COOKIE_SECURE``: whether the cookie is sent over https alone."""
        secure: bool = app.config["SESSION_COOKIE_SECURE"]
        return secure

    def get_cookie_samesite(self, app: Flask) -> str | None:
        """Return ``SESSION_COOKIE_SAMESITE``: ``Strict``, ``Lax``, ``None`` as text, or None."""
        samesite: str | None = app.config["SESSION_COOKIE_SAMESITE"]
        return samesite

    def get_cookie_partitioned(self, app: Flask) -> bool:
        """Return ``SESSION_COOKIE_PARTITIONED``, which Flask has from 3.1 on."""
        partitioned: bool = app.config.get("SESSION_COOKIE_PARTITIONED", False)
        return partitioned

    def get_cookie_attributes(self, app: Flask) -> Attributes:
        """Return the cookie's attributes, as the methods above tell them."""
        return Attributes(
            self.get_cookie_domain(app),
            self.get_cookie_path(app),
            self.get_cookie_secure(app),
            self.get_cookie_httponly(app),
            self.get_cookie_samesite(app),
            self.get_cookie_partitioned(app),
        )

    def get_expiration_time(
        self, app: Flask, session: flask.sessions.SessionMixin
    ) -> datetime | None:
        """Return when a permanent session's cookie expires (UTC), None for the others."""
        if session.permanent:
            return datetime.now(UTC) + app.permanent_session_lifetime
        return None

    def should_set_cookie(self, app: Flask, session: flask.sessions.SessionMixin) -> bool:
        """Return whether a session that isn't empty gets a Set-Cookie.

        It does if it was modified, or is permanent and ``SESSION_REFRESH_EACH_REQUEST`` is set.
        """
        return wants_cookie(session, app.config["SESSION_REFRESH_EACH_REQUEST"])

    def open_session(self, app: Flask, request: Request) -> flask.sessions.SessionMixin | None:
        """Return the session of a request, or None to have a null session stand in."""
        raise NotImplementedError

    def save_session(
        self, app: Flask, session: flask.sessions.SessionMixin, response: Response
    ) -> None:
        """Save the session and set or delete its cookie; called for every response."""
        raise NotImplementedError
