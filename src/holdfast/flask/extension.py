"""What an application writes: ``Holdfast(app)``."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

import flask
import flask.sessions

from holdfast.core.events import Listener
from holdfast.core.policy import Policy
from holdfast.core.store import Store
from holdfast.errors import ConfigurationError
from holdfast.flask.agreement import check_configuration, checked_policy
from holdfast.flask.answers import register_handlers
from holdfast.flask.commands import sessions_commands
from holdfast.flask.secure_cookie import SecureCookieSessionInterface
from holdfast.flask.stored import StoredSessionInterface
from holdfast.log import log_event
from holdfast.stores import open_store

# What applications set on an interface instead of deriving one.
_TAKEN_OVER = {
    "digest_method",
    "key_derivation",
    "null_session_class",
    "pickle_based",
    "salt",
    "serializer",
    "session_class",
}
_LOGGED: tuple[Listener, ...] = (log_event,)
_REPLACED = (flask.sessions.SecureCookieSessionInterface, SecureCookieSessionInterface)


class Holdfast:
    """Install Holdfast's sessions on a Flask application.

    ``app``
        The application; or leave it out and call :meth:`init_app` later, for several too.
    ``store``
        Where sessions are kept: a URL for :func:`holdfast.open_store`, in which a relative path
        starts from the instance folder, or a store. Without one, ``SESSION_STORE`` of the
        application's configuration says so; without that, they live in signed cookies.
    ``policy``
        What goes beyond Flask's configuration; :meth:`holdfast.Policy.flask` by default.
    ``migrate_until``
        Until then, a date or an aware datetime, signed cookies become stored sessions.
    ``listeners``
        What is called with each :class:`holdfast.Event` of stored sessions; by default they are
        logged as ``holdfast.sessions``.

    Raises :exc:`holdfast.ConfigurationError` for anything else.
    """

    def __init__(
        self,
        app: flask.Flask | None = None,
        *,
        store: Store | str | None = None,
        policy: Policy | None = None,
        migrate_until: date | datetime | None = None,
        listeners: Iterable[Listener] = _LOGGED,
    ) -> None:
        self.store = store
        self.policy = Policy.flask() if policy is None else checked_policy(policy)
        self.migrate_until = migrate_until
        self.listeners = listeners
        if app is not None:
            self.init_app(app)

    def init_app(self, app: flask.Flask) -> None:
        """Replace the application's session interface; call it before the first request."""
        if not isinstance(app, flask.Flask):
            msg = f"Holdfast takes a Flask application, not {type(app).__name__}"
            raise ConfigurationError(msg)
        before: Any = app.session_interface
        if "holdfast" in app.extensions:
            msg = "Holdfast is on this application already; call init_app once"
            raise ConfigurationError(msg)
        if isinstance(before, StoredSessionInterface) and self.store is None:
            if self.policy != Policy.flask() or self.migrate_until or self.listeners != _LOGGED:
                msg = (
                    "this application has a session interface of its own; give policy,"
                    " migrate_until and listeners to that, and leave them out here"
                )
                raise ConfigurationError(msg)
            self._install(app, before)  # a class of the application's own
            return
        if type(before) not in _REPLACED:
            msg = (
                f"this application has a session interface of its own, {type(before).__name__};"
                " if an extension put it there, take that out; otherwise derive it from"
                " holdfast.flask.SecureCookieSessionInterface and assign it to"
                " app.session_interface, in place of Holdfast(app)"
            )
            raise ConfigurationError(msg)
        store = app.config.get("SESSION_STORE") if self.store is None else self.store
        if store is None:
            if self.migrate_until is not None:
                msg = "migrate_until needs a store that signed cookies can migrate to; name one"
                raise ConfigurationError(msg)
            signed = SecureCookieSessionInterface(self.policy)
            interface: Any = signed
        else:
            if isinstance(store, str):
                store = open_store(store, folder=app.instance_path)
            interface = StoredSessionInterface(
                store,
                self.policy,
                migrate_until=self.migrate_until,
                listeners=self.listeners,
            )
            signed = interface.signed
        vars(signed).update(
            (name, vars(before)[name]) for name in _TAKEN_OVER & vars(before).keys()
        )
        theirs = flask.sessions.session_json_serializer
        if before.serializer is theirs and len(theirs.order) > len(theirs.default_tags):
            signed.serializer = theirs  # with the tags that the application registered
        interface.serializer = signed.serializer
        self._install(app, interface)

    def _install(self, app: flask.Flask, interface: Any) -> None:
        renamed = getattr(interface, "migrate_until", 0) > 0
        check_configuration(app, interface.policy, renamed=renamed)
        if isinstance(interface, StoredSessionInterface):
            interface.engine(app)  # refuses what is wrong in the configuration
            register_handlers(app)
            app.cli.add_command(sessions_commands)
        app.session_interface = interface
        app.extensions["holdfast"] = self
