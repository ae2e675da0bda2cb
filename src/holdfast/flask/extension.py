"""What an application writes: ``Holdfast(app)``."""

from __future__ import annotations

import flask

from holdfast.core.policy import Policy
from holdfast.errors import ConfigurationError
from holdfast.flask.signed import SecureCookieSessionInterface


class Holdfast:
    """Install Holdfast's sessions on a Flask application.

    ``app``
        The application; or leave it out and call :meth:`init_app` later, for several too.
    ``policy``
        What goes beyond Flask's configuration; :meth:`holdfast.Policy.flask` by default.

    Raises :exc:`holdfast.ConfigurationError` for anything else.
    """

    def __init__(self, app: flask.Flask | None = None, *, policy: Policy | None = None) -> None:
        if policy is not None and not isinstance(policy, Policy):
            msg = f"policy must be a holdfast.Policy, not {type(policy).__name__}"
            raise ConfigurationError(msg)
        self.policy = policy or Policy.flask()
        if app is not None:
            self.init_app(app)

    def init_app(self, app: flask.Flask) -> None:
        """Replace the application's session interface; call it before the first request."""
        if not isinstance(app, flask.Flask):
            msg = f"Holdfast takes a Flask application, not {type(app).__name__}"
            raise ConfigurationError(msg)
        app.session_interface = SecureCookieSessionInterface(self.policy)
        app.extensions["holdfast"] = self
