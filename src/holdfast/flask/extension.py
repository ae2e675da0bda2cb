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
from holdfast.flask.full import FullSessionInterface
from holdfast.flask.given import checked_seal
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
    ``seal``
        Whether sessions are encrypted, in their cookies or in the store: with a key that is
        derived from ``SECRET_KEY``, and takes the package cryptography.
    ``revocations``
        Where sessions in sealed cookies are noted that were ended, so that they can be: a URL or a
        store, as for ``store``, but one of its own.
    ``policy``
        What goes beyond Flask's configuration; :meth:`holdfast.Policy.flask` by default.
    ``migrate_until``
        Until then, a date or an aware datetime, signed cookies become stored or sealed sessions.
    ``listeners``
        What is called with each :class:`holdfast.Event` of stored or sealed sessions; by default
        they are logged as ``holdfast.sessions``.

    Raises :exc:`holdfast.ConfigurationError` for anything else.
    """

    def __init__(  # noqa: PLR0913  # what may be chosen, all by keyword but the first
        self,
        app: flask.Flask | None = None,
        *,
        store: Store | str | None = None,
        seal: bool = False,
        revocations: Store | str | None = None,
        policy: Policy | None = None,
        migrate_until: date | datetime | None = None,
        listeners: Iterable[Listener] = _LOGGED,
    ) -> None:
        self.store = store
        self.seal = checked_seal(seal)
        self.revocations = revocations
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
        if isinstance(before, FullSessionInterface) and self.store is None:
            if self._states_more:
                msg = (
                    "this application has a session interface of its own; give seal, revocations,"
                    " policy, migrate_until and listeners to that, and leave them out here"
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
        interface = self._interface(app)
        signed = getattr(interface, "signed", interface)
        vars(signed).update(
            (name, vars(before)[name]) for name in _TAKEN_OVER & vars(before).keys()
        )
        theirs = flask.sessions.session_json_serializer
        if before.serializer is theirs and len(theirs.order) > len(theirs.default_tags):
            signed.serializer = theirs  # with the tags that the application registered
        interface.serializer = signed.serializer
        self._install(app, interface)

    @property
    def _states_more(self) -> bool:
        asked = self.seal, self.revocations, self.policy, self.migrate_until, self.listeners
        return asked != (False, None, Policy.flask(), None, _LOGGED)

    def _interface(self, app: flask.Flask) -> Any:
        """Return the interface for the kind of session that is asked for."""
        how: dict[str, Any] = {"migrate_until": self.migrate_until, "listeners": self.listeners}
        store = app.config.get("SESSION_STORE") if self.store is None else self.store
        if self.revocations is not None and (store is not None or not self.seal):
            msg = (
                "revocations are of sessions in sealed cookies: give seal=True with them, and no"
                " store; what is stored can be ended as it is"
            )
            raise ConfigurationError(msg)
        if store is not None:
            store = _opened(app, store)
            return StoredSessionInterface(store, self.policy, seal=self.seal, **how)
        if self.seal:
            # Here, since importing it takes a while that only who seals should pay.
            from holdfast.flask.sealed_cookie import (  # noqa: PLC0415  # as above
                SealedCookieSessionInterface,
            )

            revocations = _opened(app, self.revocations)
            return SealedCookieSessionInterface(self.policy, revocations=revocations, **how)
        if self.migrate_until is not None:
            msg = (
                "migrate_until needs something that signed cookies can migrate to; name a store, or"
                " give seal=True"
            )
            raise ConfigurationError(msg)
        return SecureCookieSessionInterface(self.policy)

    def _install(self, app: flask.Flask, interface: Any) -> None:
        renamed = getattr(interface, "migrate_until", 0) > 0
        check_configuration(app, interface.policy, renamed=renamed)
        if isinstance(interface, FullSessionInterface):
            interface.check(app)
            register_handlers(app)
            app.cli.add_command(sessions_commands)
        app.session_interface = interface
        app.extensions["holdfast"] = self


def _opened(app: flask.Flask, store: Any) -> Any:
    return open_store(store, folder=app.instance_path) if isinstance(store, str) else store
