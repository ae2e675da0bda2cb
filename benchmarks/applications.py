"""The Flask applications whose requests are timed: alike but for the session interface."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import flask
from flask.sessions import SecureCookieSession, SessionInterface
from werkzeug.test import EnvironBuilder

from holdfast.flask import Holdfast

if TYPE_CHECKING:
    from collections.abc import Callable

WRITTEN = {"theme": "dark"}


class NothingInterface(SessionInterface):
    """Open an empty session, whatever the cookie says, and save nothing."""

    def open_session(self, _app: flask.Flask, _request: flask.Request) -> SecureCookieSession:
        """Return an empty session."""
        return SecureCookieSession()

    def save_session(self, *_ignored: object) -> None:
        """Do nothing."""


def make_applications() -> dict[str, flask.Flask]:
    """Return the applications by the name of their interface; all have one secret key.

    There are two with Holdfast's: one for cookies that it has not seen, one for a cookie that
    comes back again and again.
    """
    key = secrets.token_hex()
    applications = {name: _make(key) for name in ("flask", "holdfast", "again", "nothing")}
    Holdfast(applications["holdfast"])
    Holdfast(applications["again"])
    applications["nothing"].session_interface = NothingInterface()
    return applications


def make_environ(app: flask.Flask, path: str, contents: dict[str, Any]) -> dict[str, Any]:
    """Return what a server hands to the application for a GET request with a session.

    ``app`` is the one with Flask's own interface, which makes the cookie.
    """
    serializer = app.session_interface.get_signing_serializer(app)
    name = app.session_interface.get_cookie_name(app)
    with app.app_context():  # whose JSON provider sorts the keys, as in requests
        token = serializer.dumps(contents)
    return EnvironBuilder(path, headers={"Cookie": f"{name}={token}"}).get_environ()


def make_request(app: flask.Flask) -> Callable[[dict[str, Any]], None]:
    """Return a function that takes a whole request through the application, as a server does."""

    def request(environ: dict[str, Any]) -> None:
        body = app(environ.copy(), _start_response)
        for _ in body:
            pass
        body.close()

    return request


def _start_response(*_ignored: object) -> None:
    pass


def _make(key: str) -> flask.Flask:
    app = flask.Flask(__name__)
    app.secret_key = key
    for path, view in _VIEWS.items():
        app.add_url_rule(f"/{path}", path, view)
    return app


# The session of the do-nothing interface is empty, hence get().


def _untouched() -> str:
    return "done"


def _read() -> str:
    flask.session.get("user_id")
    return "done"


def _read_cart() -> str:
    flask.session.get("user_id")
    flask.session.get("cart")
    return "done"


def _write() -> str:
    for key, value in WRITTEN.items():
        flask.session[key] = value
    return "done"


def _contents() -> dict[str, Any]:
    return dict(flask.session)


_VIEWS = {
    "untouched": _untouched,
    "read": _read,
    "read-cart": _read_cart,
    "write": _write,
    "contents": _contents,
}
