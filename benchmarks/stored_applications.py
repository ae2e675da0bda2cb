"""The Flask applications whose requests are timed on stores: alike but for their sessions."""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING, Any

import applications
import flask
import flask_session
import redis
from werkzeug.test import EnvironBuilder

from holdfast.flask import Holdfast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast import Policy

NOTHING, COOKIE, FLASK_SESSION = "nothing", "cookie", "flask-session"

# What the next session of this thread is to contain.
_next = threading.local()


def make_applications(urls: dict[str, str]) -> dict[str, flask.Flask]:
    """Return applications by what they keep their sessions in; ``urls`` are those of stores."""
    apps = {name: make_application() for name in (NOTHING, COOKIE)}
    apps[NOTHING].session_interface = applications.NothingInterface()
    if "redis" in urls:
        apps[FLASK_SESSION] = make_flask_session(urls["redis"])
    for name, url in urls.items():
        apps[name] = make_stored(url)
    return apps


def make_stored(url: str, policy: Policy | None = None) -> flask.Flask:
    """Return the application with sessions in the store of a URL."""
    app = make_application()
    Holdfast(app, store=url, policy=policy)
    return app


def make_flask_session(url: str) -> flask.Flask:
    """Return the application with Flask-Session on Redis, which else has its defaults."""
    app = make_application(SESSION_TYPE="redis", SESSION_REDIS=redis.Redis.from_url(url))
    flask_session.Session(app)
    return app


def make_application(**config: object) -> flask.Flask:
    """Return the application with Flask's own sessions."""
    app = flask.Flask(__name__)
    app.secret_key = secrets.token_hex()
    app.config.update(config)
    for path, view in _VIEWS.items():
        app.add_url_rule(f"/{path}", path, view)
    return app


def begin(app: flask.Flask, contents: dict[str, Any]) -> str:
    """Begin a session with ``contents``; return the Cookie header by which it is found."""
    _next.contents = contents
    return follow(app, make_environ("begin", "")) or ""


def make_environ(path: str, cookie: str) -> dict[str, Any]:
    """Return what a server hands to the application for a GET request."""
    return EnvironBuilder(f"/{path}", headers={"Cookie": cookie} if cookie else {}).get_environ()


def follow(app: flask.Flask, environ: dict[str, Any]) -> str | None:
    """Take a request through the application; return the Cookie that a browser sends next.

    None where the response sets none.
    """
    sent: list[str] = []

    def start_response(_: str, headers: Sequence[tuple[str, str]], *_more: object) -> None:
        sent.extend(value for name, value in headers if name == "Set-Cookie")

    body = app(environ.copy(), start_response)
    for _ in body:
        pass
    body.close()
    return sent[0].partition(";")[0] if sent else None


def contents(app: flask.Flask, cookie: str) -> dict[str, Any]:
    """Return what the session of a Cookie header contains."""
    response = app.test_client(use_cookies=False).get("/contents", headers={"Cookie": cookie})
    found: dict[str, Any] = response.json
    found.pop("_permanent", None)  # Flask-Session has it there, Holdfast beside it
    return found


# The session of the do-nothing interface is empty, hence get().


def _untouched() -> str:
    return "done"


def _read() -> str:
    flask.session.get("user_id")
    flask.session.get("cart")
    return "done"


def _write() -> str:
    flask.session["views"] = flask.session.get("views", 0) + 1
    return "done"


def _login() -> str:
    flask.session["user_id"] = 4711
    return "done"


def _logout() -> str:
    flask.session.clear()
    return "done"


def _begin() -> str:
    flask.session.update(_next.contents)
    return "done"


def _contents() -> dict[str, Any]:
    return dict(flask.session)


_VIEWS = {
    "untouched": _untouched,
    "read": _read,
    "write": _write,
    "login": _login,
    "logout": _logout,
    "begin": _begin,
    "contents": _contents,
}
