"""An application whose pages do what a test says, browsers that visit it, and a store to watch."""

# ruff: noqa: PLW0108 - `session` has its methods inside of a request alone

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from http.cookies import SimpleCookie
from pathlib import Path
from types import SimpleNamespace

import flask
from flask.sessions import SecureCookieSessionInterface as FlasksInterface
from werkzeug.exceptions import ServiceUnavailable

from holdfast import StoreUnavailable
from holdfast.core.token import parse
from holdfast.flask import Holdfast, session

SECRET = "a secret key that only tests know: 8e1c"
OTHER_SECRET = "another secret key for the tests: 55f0"
OPERATIONS = ("load", "create", "save", "touch", "retire")
POWERS = ("by_user", "cap", "page")
DEFAULTS = {"PROPAGATE_EXCEPTIONS": False, "TRAP_HTTP_EXCEPTIONS": False}
ATTRIBUTES = [
    # What is configured, and what the cookie then has.
    ({}, {"httponly": True, "path": "/"}),
    (
        {
            "SESSION_COOKIE_DOMAIN": "example.com",
            "SESSION_COOKIE_PATH": "/shop",
            "SESSION_COOKIE_SECURE": True,
            "SESSION_COOKIE_SAMESITE": "Lax",
        },
        {
            "domain": "example.com",
            "httponly": True,
            "path": "/shop",
            "secure": True,
            "samesite": "Lax",
        },
    ),
    ({"SESSION_COOKIE_HTTPONLY": False, "APPLICATION_ROOT": "/app"}, {"path": "/app"}),
    (
        {"SESSION_COOKIE_PARTITIONED": True, "SESSION_COOKIE_SAMESITE": "None"},
        {"httponly": True, "path": "/", "samesite": "None", "secure": True, "partitioned": True},
    ),
]
AWAY = StoreUnavailable("it was switched off by a test", retry_after=7)


class Watched:
    """A store that notes in ``asked`` what is asked of it, and fails when it is told to.

    ``fails``
        Called with the name of an operation before it is performed, and told so; what it returns
        is raised, unless that is None.
    ``loses``
        The same for answers: the operation has been performed.
    ``meanwhile``
        What happens just before the next operation of a name, once: ``{"save": function}``.
    """

    def __init__(self, store):
        self.store = store
        self.asked = []
        self.fails = self.loses = lambda name: None
        self.meanwhile = {}

    def switch(self, *, off):
        """Have all operations fail, or none."""
        self.fails = lambda name: AWAY if off else None

    def taken(self):
        """Return what was asked since this was called last."""
        taken, self.asked = self.asked, []
        return taken

    def _ask(self, name, *args, **kwargs):
        self.meanwhile.pop(name, lambda: None)()
        self.asked.append(name)
        for wanted, perform in ((self.fails, False), (self.loses, True)):
            if (error := wanted(name)) is not None:
                if perform:
                    getattr(self.store, name)(*args, **kwargs)
                raise error
        return getattr(self.store, name)(*args, **kwargs)

    def load(self, key):
        return self._ask("load", key)

    def create(self, record):
        return self._ask("create", record)

    def save(self, record):
        return self._ask("save", record)

    def touch(self, key, *, seen, expires):
        return self._ask("touch", key, seen=seen, expires=expires)

    def retire(self, key, *, ended, expires):
        return self._ask("retire", key, ended=ended, expires=expires)

    def by_user(self, user_id):
        return self._ask("by_user", user_id)

    def cap(self, user_id, **how):
        return self._ask("cap", user_id, **how)

    def page(self, after=b"", **how):
        return self._ask("page", after, **how)


def make_app(name="stored", **config):
    """Return an application without sessions as yet; its page ``/`` does what a test says.

    Errors in it become responses.
    """
    app = flask.Flask(name, static_folder=Path(__file__).parent, static_url_path="/static")
    app.config.update(DEFAULTS | config)
    app.logger.disabled = True

    @app.route("/", methods=["GET", "POST"])
    @app.route("/<path:_path>", methods=["GET", "POST"])
    def page(_path=""):
        return flask.request.environ["test.action"]()

    return app


def make_site(store, policy=None, *, listeners=(), **config):
    """Return an application with sessions in a store by a policy."""
    app = make_app(**config)
    Holdfast(app, store=store, policy=policy, listeners=listeners)
    return app


class Browser:
    """A client of an application; ``cookie`` is what it has of the session, None for nothing.

    ``name`` is the cookie's, by default the application's. It visits by https where the cookie is
    for that alone. ``agent`` and ``address`` are its own.
    """

    def __init__(self, app, cookie=None, name=None, *, agent=None, address="127.0.0.1"):
        interface = app.session_interface
        self.app = app
        self.client = app.test_client()
        self.name = interface.get_cookie_name(app) if name is None else name
        self.url = f"http{'s' if interface.get_cookie_secure(app) else ''}://localhost"
        self.headers = {} if agent is None else {"User-Agent": agent}
        self.address = address
        if cookie is not None:
            self.cookie = cookie

    @property
    def cookie(self):
        cookie = self.client.get_cookie(self.name)
        return None if cookie is None else cookie.value

    @cookie.setter
    def cookie(self, value):
        if value is None:
            self.client.delete_cookie(self.name)
        else:
            self.client.set_cookie(self.name, value)

    def visit(self, action=lambda: None, path="/", *, method="GET", headers=None, body=None):
        """Call ``action`` in a request; return the response, with what it returned as ``result``.

        ``body`` is what the page answers with.
        """
        results = []

        def page():
            results.append(action())
            return "" if body is None else body() if callable(body) else body

        response = self.client.open(
            path,
            self.url,
            method=method,
            headers={**self.headers, **(headers or {})},
            environ_overrides={"test.action": page, "REMOTE_ADDR": self.address},
        )
        response.result = results[0] if results else None
        return response

    def get(self, key, default=None):
        """Return a value of the session."""
        response = self.visit(lambda: session.get(key, default))
        assert response.status_code == 200, response.get_data(as_text=True)
        return response.result

    def put(self, **values):
        """Write values into the session; return the response."""
        response = self.visit(lambda: session.update(values))
        assert response.status_code == 200, response.get_data(as_text=True)
        return response

    def log_in(self, user_id, *methods, permanent=None, **how):
        """Log in; return the response."""

        def log_in():
            if permanent is not None:
                session.permanent = permanent
            session.log_in(user_id, methods=methods, **how)

        response = self.visit(log_in)
        assert response.status_code == 200, response.get_data(as_text=True)
        return response

    def user(self):
        """Return who is logged in."""
        response = self.visit(lambda: session.user_id)
        assert response.status_code == 200, response.get_data(as_text=True)
        return response.result

    def clear(self):
        """Log out; return the response."""
        return self.visit(lambda: session.clear())

    def contents(self):
        """Return all that the session contains."""
        response = self.visit(lambda: dict(session))
        assert response.status_code == 200, response.get_data(as_text=True)
        return response.result

    def twin(self):
        """Return another browser with the same cookie."""
        return Browser(self.app, self.cookie, self.name)


def at_once(*calls):
    """Call functions in threads, almost at once; return what they return, in order."""
    barrier = threading.Barrier(len(calls), timeout=30)

    def call(function):
        barrier.wait()
        return function()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(call, calls))


def cookies_set(response, name="session"):
    """Return the cookies of a name that a response sets or deletes, as :mod:`http.cookies` does."""
    found = []
    for header in response.headers.getlist("Set-Cookie"):
        if header.startswith(f"{name}="):
            # http.cookies knows Partitioned from Python 3.14 on.
            partitioned = "; Partitioned" in header
            cookie = SimpleCookie(header.replace("; Partitioned", ""))[name]
            attributes = {key: value for key, value in cookie.items() if value}
            if partitioned:
                attributes["partitioned"] = True
            found.append(SimpleNamespace(value=cookie.value, attributes=attributes, text=header))
    return found


def says_nothing_of_cookies(response):
    """Return whether a response neither sets nor deletes a cookie."""
    return "Set-Cookie" not in response.headers


def signed_cookie(contents, secret=SECRET, *, permanent=False):
    """Return the cookie that Flask's own sessions make of contents."""
    app = make_app(SECRET_KEY=secret)
    app.session_interface = FlasksInterface()
    browser = Browser(app)

    def write():
        flask.session.permanent = permanent
        flask.session.update(contents)
        if not permanent:
            del flask.session["_permanent"]

    assert browser.visit(write).status_code == 200
    return browser.cookie


def record_of(store, cookie):
    """Return the record that a store has for the token in a cookie."""
    return store.load(parse(cookie).key)


def parts_of(cookie):
    """Return the parts of a token that nobody else may see: all of it, and its secret."""
    return (cookie, cookie[-43:])


def is_unavailable(response, retry_after=7):
    """Return whether a response is the answer to an unavailable store that nobody made."""
    return (
        response.status_code == ServiceUnavailable.code
        and response.headers.get("Retry-After") == str(retry_after)
        and says_nothing_of_cookies(response)
    )
