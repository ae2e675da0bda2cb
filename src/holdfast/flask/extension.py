"""What an application writes: ``Holdfast(app)``."""

from __future__ import annotations

from typing import Any

import flask
import flask.sessions

from holdfast.core.policy import Policy
from holdfast.errors import ConfigurationError
from holdfast.flask.secure_cookie import SecureCookieSessionInterface

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
_REPLACED = (flask.sessions.SecureCookieSessionInterface, SecureCookieSessionInterface)


class Holdfast:
    """Install Holdfast's sessions on a Flask application.

    ``app``
        The application; or leave it out and call :meth:`init_app` later, for several too.
    ``policy``
        What goes beyond Flask's configuration; :meth:`holdfast.Policy.flask` by default.

    Raises :exc:`holdfast.ConfigurationError` for anything else.
    """

    def __init__(self, app: flask.Flask | None = None, *, policy: Policy | None = None) -> None:
        self.policy = SecureCookieSessionInterface(policy).policy  # refuses what is none
        if app is not None:
            self.init_app(app)

    def init_app(self, app: flask.Flask) -> None:
        """Replace the application's session interface; call it before the first request."""
        if not isinstance(app, flask.Flask):
            msg = f"Holdfast takes a Flask application, not {type(app).__name__}"
            raise ConfigurationError(msg)
        before: Any = app.session_interface
        if type(before) not in _REPLACED:
            msg = (
                f"this application has a session interface of its own, {type(before).__name__};"
                " derive that from holdfast.flask.SecureCookieSessionInterface and assign it to"
                " app.session_interface, in place of Holdfast(app)"
            )
            raise ConfigurationError(msg)
        interface = SecureCookieSessionInterface(self.policy)
        vars(interface).update(
            (name, vars(before)[name]) for name in _TAKEN_OVER & vars(before).keys()
        )
        theirs = flask.sessions.session_json_serializer
        if before.serializer is theirs and len(theirs.order) > len(theirs.default_tags):
            interface.serializer = theirs  # with the tags that the application registered
        app.session_interface = interface
        app.extensions["holdfast"] = self
