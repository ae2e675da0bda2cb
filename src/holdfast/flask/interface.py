"""The point where a framework opens and saves sessions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import flask
import flask.sessions

from holdfast.core.cookie_held import wants_cookie
from holdfast.core.cookies import Attributes
from holdfast.core.policy import Policy
from holdfast.flask.agreement import check_configuration, check_mode, warn_of_http
from holdfast.flask.sessions import NullSession

if TYPE_CHECKING:
    from flask import Flask, Request, Response


class SessionInterface(flask.sessions.SessionInterface):
    """How Flask opens and saves sessions; the point where custom storage plugs in.

    Implement :meth:`open_session` and :meth:`save_session`; the rest reads Flask's configuration
    at the time of the call, and any method can be overridden.
    """

    policy = Policy.flask()
    null_session_class: type[flask.sessions.NullSession] = NullSession
    pickle_based = False

    def make_null_session(self, app: Flask) -> flask.sessions.NullSession:  # noqa: ARG002  # for overriding
        """Return what stands in when :meth:`open_session` returns None."""
        return self.null_session_class()

    def is_null_session(self, obj: object) -> bool:
        """Return whether ``obj`` stands in for a session; it is never saved."""
        return isinstance(obj, self.null_session_class)

    def get_cookie_name(self, app: Flask) -> str:
        """Return the name that the policy states, or ``SESSION_COOKIE_NAME``."""
        stated = self.policy.cookie.name
        name: str = app.config["SESSION_COOKIE_NAME"] if stated is None else stated
        return name

    def get_cookie_domain(self, app: Flask) -> str | None:
        """Return the domain that the policy states, or ``SESSION_COOKIE_DOMAIN``.

        With None only the host that set it gets the cookie.
        """
        cookie = self.policy.cookie
        domain: str | None = cookie.domain
        if domain is None:
            domain = app.config["SESSION_COOKIE_DOMAIN"]
            if domain is not None and cookie.is_of_one_host:
                domain = None  # browsers would drop it
        return domain

    def get_cookie_path(self, app: Flask) -> str:
        """Return the path that the policy states, or ``SESSION_COOKIE_PATH``.

        ``APPLICATION_ROOT`` where neither is set.
        """
        path: str = (
            self.policy.cookie.path
            or app.config["SESSION_COOKIE_PATH"]
            or app.config["APPLICATION_ROOT"]
        )
        return path

    def get_cookie_httponly(self, app: Flask) -> bool:
        """Return whether scripts can't read the cookie.

        ``SESSION_COOKIE_HTTPONLY``, or always where the policy states anything of the cookie.
        """
        httponly: bool = app.config["SESSION_COOKIE_HTTPONLY"] or self.policy.cookie.is_stated
        return httponly

    def get_cookie_secure(self, app: Flask) -> bool:
        """Return whether the cookie is sent over https alone.

        As the policy states, or ``SESSION_COOKIE_SECURE``.
        """
        stated = self.policy.cookie.secure
        secure: bool = app.config["SESSION_COOKIE_SECURE"] if stated is None else stated
        return secure

    def get_cookie_samesite(self, app: Flask) -> str | None:
        """Return ``Strict``, ``Lax``, ``None`` as text, or None for no such attribute.

        As the policy states, or ``SESSION_COOKIE_SAMESITE``.
        """
        stated = self.policy.cookie.same_site
        samesite: str | None = app.config["SESSION_COOKIE_SAMESITE"] if stated is None else stated
        return samesite

    def get_cookie_partitioned(self, app: Flask) -> bool:
        """Return whether each site that embeds this one has a cookie of its own.

        As the policy states, or ``SESSION_COOKIE_PARTITIONED``, which Flask has from 3.1 on.
        """
        stated = self.policy.cookie.partitioned
        if stated is not None:
            return stated
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

    # The application whose configuration was found to agree with the policy.
    _agreed: Flask | None = None

    def agree(self, app: Flask) -> None:
        """Refuse, at the first request, a configuration that contradicts the policy."""
        check_configuration(app, self.policy)
        check_mode(app, self.policy)
        self._agreed = app

    def guard(self, app: Flask, response: Response, attributes: Attributes) -> None:
        """See to what a response needs that sets or deletes the cookie."""
        if self.policy.no_store and "Cache-Control" not in response.headers:
            response.headers["Cache-Control"] = "no-store"  # ASVS 5.0, 14.3.2
        if attributes.secure and app.debug and flask.has_request_context():
            warn_of_http(self.get_cookie_name(app))
