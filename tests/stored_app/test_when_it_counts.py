"""Signing in and out counts whatever else a request says; what could not be kept is refused."""

from __future__ import annotations

from datetime import timedelta

import flask
import flask_login
import pytest
from visits import SECRET

from holdfast import ConfigurationError, CookiePolicy, Policy
from holdfast.flask import Holdfast, require_fresh, session

KINDS = {
    "stored": {"store": "memory://"},
    "sealed at rest": {"store": "memory://", "seal": True},
    "sealed": {"seal": True},
}


@pytest.fixture(params=KINDS.values(), ids=KINDS.keys())
def app(request):
    """Return an application that tells on every page who its visitor is."""
    app = flask.Flask("shop")
    app.config.update(SECRET_KEY=SECRET, TESTING=True)
    Holdfast(app, **request.param)

    @app.get("/")
    def index():
        return session.user_id or "nobody"

    @app.post("/login/<user>")
    def log_in(user):
        session.log_in(user, methods=["password"])
        return ""

    return app


def signed_in(app):
    client = app.test_client()
    client.post("/login/ada")
    return client


def test_a_login_of_a_view_that_is_not_modified(app):
    """A login is kept, and whoever was there before is gone, whatever `modified` is set to."""

    @app.after_request
    def unmodified(response):
        session.modified = False
        return response

    client = signed_in(app)
    client.post("/login/bob")
    assert client.get("/").text == "bob"


def test_a_handler_of_what_could_not_be_stored(app):
    """Where nothing was stored nothing is too late: the handler of that error may log out."""
    app.testing = False

    @app.get("/broken")
    def broken():
        session["what"] = object()
        return ""

    @app.errorhandler(500)
    def explain(error):
        session.log_out()
        return "sorry"

    client = signed_in(app)
    assert client.get("/broken").text == "sorry"
    assert client.get("/").text == "nobody"


@pytest.mark.parametrize("methods", [["\ud800"], [["a"]], [None], [""], "password", 7])
def test_names_that_are_none(app, methods):
    """What can't be kept as the name of a method is refused when it is given."""

    @app.get("/odd")
    def odd():
        with pytest.raises(ConfigurationError, match="tuple of names"):
            session.reauthenticated(methods)
        return session.user_id

    assert signed_in(app).get("/odd").text == "ada"


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
def test_who_is_not_fresh_for_flask_login(app):
    """With Flask-Login, confirm_login() beside reauthenticated() is what lasts."""
    manager = flask_login.LoginManager(app)

    @manager.user_loader
    def load(user_id):
        user = flask_login.UserMixin()
        user.id = user_id
        return user

    @app.post("/confirm")
    def confirm():
        session.reauthenticated(["password"])
        flask_login.confirm_login()
        return ""

    @app.get("/sudo")
    @flask_login.login_required
    @require_fresh(timedelta(minutes=5))
    def sudo():
        return "done"

    client = signed_in(app)
    moved = {"User-Agent": "another browser, or another address"}
    assert client.get("/sudo", headers=moved).status_code == 401
    client.post("/confirm", headers=moved)
    for _ in range(2):
        assert client.get("/sudo", headers=moved).text == "done"


@pytest.mark.parametrize("name", [None, "", 7])
@pytest.mark.parametrize("how", KINDS.values(), ids=KINDS.keys())
def test_names_of_cookies_that_are_none(how, name):
    """So is a name that no cookie can have."""
    app = flask.Flask("shop")
    app.config.update(SECRET_KEY=SECRET, SESSION_COOKIE_NAME=name)
    with pytest.raises(ConfigurationError, match="SESSION_COOKIE_NAME must be"):
        Holdfast(app, **how)


TOGETHER = [
    (CookiePolicy(domain="example.org", secure=True), {"SESSION_COOKIE_NAME": "__Host-x"}),
    (CookiePolicy(path="/shop", secure=True), {"SESSION_COOKIE_NAME": "__Host-x"}),
    (CookiePolicy(path="/", secure=True, name="__Host-x"), {"SESSION_COOKIE_DOMAIN": "a.org"}),
    (CookiePolicy(secure=False), {"SESSION_COOKIE_NAME": "__Secure-x"}),
    (CookiePolicy(secure=False), {"SESSION_COOKIE_SAMESITE": "none"}),
    (CookiePolicy(secure=False), {"SESSION_COOKIE_PARTITIONED": True}),
]


@pytest.mark.parametrize(("stated", "keys"), TOGETHER)
@pytest.mark.parametrize("how", [{}, *KINDS.values()], ids=["signed", *KINDS])
def test_a_cookie_that_browsers_would_drop(how, stated, keys):
    """A policy and keys that state parts of a cookie are refused where one policy would be."""
    app = flask.Flask("shop")
    app.config.update(SECRET_KEY=SECRET, **keys)
    said = f"the policy and .*{next(iter(keys))}.* make a cookie that can't be: .*browsers drop"
    with pytest.raises(ConfigurationError, match=said):
        Holdfast(app, policy=Policy(cookie=stated), **how)


def test_a_path_that_browsers_would_drop():
    """Where it is another key that can't be, that one is named."""
    app = flask.Flask("shop")
    app.config.update(SECRET_KEY=SECRET, APPLICATION_ROOT="shop")
    with pytest.raises(ConfigurationError, match=r"the policy and APPLICATION_ROOT make .*slash"):
        Holdfast(app, policy=Policy(cookie=CookiePolicy(secure=True)))


def test_flasks_own_lifetime_contradicts_nothing():
    """A default that is written out, as a timedelta or as seconds, is Flask's default still."""
    for lifetime in (timedelta(days=31), 31 * 86400, timedelta(days=14), 14 * 86400):
        app = flask.Flask("shop")
        app.config.update(PERMANENT_SESSION_LIFETIME=lifetime)
        app.add_url_rule("/", view_func=lambda: "read")
        Holdfast(app, store="memory://", policy=Policy.secure())
        assert app.test_client().get("/").text == "read"


HOST = {"SESSION_COOKIE_NAME": "__Host-x"}


@pytest.mark.parametrize(
    ("keys", "fits"),
    [
        (HOST, True),
        (HOST | {"APPLICATION_ROOT": "/shop"}, False),
        (HOST | {"SESSION_COOKIE_PATH": "/shop"}, False),
        (HOST | {"APPLICATION_ROOT": "/shop", "SESSION_COOKIE_PATH": "/"}, True),
        (HOST | {"SESSION_COOKIE_DOMAIN": False}, True),
    ],
)
def test_the_path_of_a_cookie_of_one_host(keys, fits):
    """What no policy states of the path is what Flask takes: its key, or else the root."""
    app = flask.Flask("shop")
    app.config.update(SECRET_KEY=SECRET, **keys)
    policy = Policy(cookie=CookiePolicy(secure=True))
    if fits:
        Holdfast(app, store="memory://", policy=policy)
        return
    with pytest.raises(ConfigurationError, match="whose path is not '/'"):
        Holdfast(app, store="memory://", policy=policy)


def test_a_policy_that_was_not_called():
    """Whoever forgets the parentheses is told so; whoever gives something else is not."""
    for wrong, said in ((Policy.secure, "call it, as in Policy.secure"), ("secure", "not str$")):
        with pytest.raises(ConfigurationError, match=said):
            Holdfast(flask.Flask("shop"), store="memory://", policy=wrong)


LIFETIMES = [None, "a month", 0, timedelta(0), -5, 10**20]


@pytest.mark.parametrize("lifetime", LIFETIMES)
@pytest.mark.parametrize("how", KINDS.values(), ids=KINDS.keys())
def test_lifetimes_that_are_none(how, lifetime):
    """A lifetime that is none is refused when the sessions are made, in words."""
    app = flask.Flask("shop")
    app.config.update(SECRET_KEY=SECRET, PERMANENT_SESSION_LIFETIME=lifetime)
    with pytest.raises(ConfigurationError, match="PERMANENT_SESSION_LIFETIME must be"):
        Holdfast(app, **how)
