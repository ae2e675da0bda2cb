"""Two applications that differ in their sessions alone, and requests that compare them."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from datetime import datetime, tzinfo
from types import SimpleNamespace
from typing import Any, Self
from unittest import mock

import flask
import flask.sessions
from hypothesis import HealthCheck, settings

import holdfast.flask as ours

SECRET = "a secret key that only tests know: 8e1c"
OTHER_SECRET = "another secret key for the tests: 55f0"
START = 1_767_225_600  # 2026-01-01T00:00:00Z

# What the running Flask knows, which depends on its version.
HAS_FALLBACKS = "SECRET_KEY_FALLBACKS" in flask.Flask.default_config
HAS_PARTITIONED = "SESSION_COOKIE_PARTITIONED" in flask.Flask.default_config

Make = Callable[[Any], Any]
Build = Callable[[flask.Flask], None]


def _context_marks_access() -> bool:
    app = flask.Flask(__name__)
    app.secret_key = SECRET
    with app.test_request_context():
        return flask.session.accessed


# From Flask 3.1.3 on the context sets `accessed`. Before, the session itself did, and missed looks.
CONTEXT_MARKS_ACCESS = _context_marks_access()


def _notices_update_in_place() -> bool:
    held = flask.sessions.SecureCookieSession()
    held |= {"a": 1}
    return held.modified


# Werkzeug 3.0 loses `session |= {...}`; ours keeps it on every version.
NOTICES_UPDATE_IN_PLACE = _notices_update_in_place()


def examples(count: int) -> settings:
    """Return settings for ``count`` examples, times ``HOLDFAST_EXAMPLES`` where that is set."""
    return settings(
        max_examples=max(1, int(count * float(os.environ.get("HOLDFAST_EXAMPLES", "1")))),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


class _Datetime(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls.fromtimestamp(time.time(), tz)


@contextlib.contextmanager
def clock(at: float = START) -> Iterator[SimpleNamespace]:
    """Stop the clock for both kinds of sessions; assign to ``now`` to set it."""
    hands = SimpleNamespace(now=at)
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch("time.time", side_effect=lambda: hands.now))
        for interface in (flask.sessions.SessionInterface, ours.SessionInterface):
            names = interface.get_expiration_time.__globals__
            if "datetime" in names:
                stack.enter_context(mock.patch.dict(names, {"datetime": _Datetime}))
        yield hands


def make_app(
    interface: Any,
    build: Build | None = None,
    app_class: type[flask.Flask] = flask.Flask,
    **config: Any,
) -> flask.Flask:
    """Return an application on a session interface; errors in it become responses."""
    app = app_class("pairs", static_folder=os.path.dirname(__file__), static_url_path="/static")  # noqa: PTH120
    app.config.update({"SECRET_KEY": SECRET, "PROPAGATE_EXCEPTIONS": False} | config)
    app.logger.disabled = True
    app.session_interface = interface
    if build is not None:
        build(app)
    return app


def visible(session: Any) -> str:
    """Return contents of a session with their types; ``repr`` shows NaN and surrogates too."""
    return ascii(dict(session))


class Pair:
    """An application on Flask's sessions and the same on ours, each with a client.

    ``make``
        Called with Flask's interface class and with ours, returns the interface to use.
    ``build``
        Called with either application, adds views and the like.
    """

    def __init__(
        self, build: Build | None = None, *, make: Make = lambda base: base(), **config: Any
    ) -> None:
        self.flask = make_app(make(flask.sessions.SecureCookieSessionInterface), build, **config)
        self.ours = make_app(make(ours.SecureCookieSessionInterface), build, **config)
        self.clients = (self.flask.test_client(), self.ours.test_client())
        self.bare = tuple(app.test_client(use_cookies=False) for app in self.apps)

    @property
    def apps(self) -> tuple[flask.Flask, flask.Flask]:
        return self.flask, self.ours

    def configure(self, **config: Any) -> None:
        """Change the configuration of both."""
        for app in self.apps:
            app.config.update(config)

    def open(self, *args: Any, cookies: str | None = None, **kwargs: Any) -> Any:
        """Send a request to both, demand the same answer of both, and return ours.

        ``cookies`` is a Cookie header to send in place of the clients' own.
        """
        clients = self.clients
        if cookies is not None:
            clients = self.bare
            kwargs["environ_overrides"] = {"HTTP_COOKIE": cookies}
        theirs, got = (_answer(client, *args, **kwargs) for client in clients)
        if isinstance(theirs, Exception):
            assert isinstance(got, type(theirs)), f"{got!r} instead of {theirs!r}"
            return got
        assert not isinstance(got, Exception), repr(got)
        assert _text(got, theirs) == _text(theirs, theirs)
        return got

    def get(self, path: str = "/", **kwargs: Any) -> Any:
        """GET from both."""
        return self.open(path, **kwargs)

    def jar(self) -> str | None:
        """Return the session cookie that our client holds."""
        cookie = self.clients[1].get_cookie("session")
        return None if cookie is None else cookie.value


def _answer(client: Any, *args: Any, **kwargs: Any) -> Any:
    try:
        with contextlib.closing(client.open(*args, **kwargs)) as response:
            response.get_data()
    except Exception as error:  # noqa: BLE001  # compared like any other answer
        return error
    return response


def _text(response: Any, theirs: Any) -> list[str]:
    # Date is when a static file was served, by a clock that does not stop. The order of headers
    # with different names means nothing (RFC 9110, section 5.3).
    headers = sorted(
        ((name, value) for name, value in response.headers if name != "Date"),
        key=lambda header: header[0],
    )
    if not CONTEXT_MARKS_ACCESS and "Cookie" not in theirs.headers.get("Vary", ""):
        headers = [header for header in headers if header != ("Vary", "Cookie")]
    lines = [f"{name}: {value}" for name, value in headers]
    return [response.status, *lines, response.get_data().decode("latin1")]
