"""Flask-Login and Flask-WTF on sessions in sealed cookies."""

from __future__ import annotations

import flask
import flask_login
import flask_wtf.csrf
import pytest
from flask_login import current_user, fresh_login_required, login_required, login_user, logout_user
from sealed_sites import sealed_site
from visits import SECRET, Browser, Watched, cookies_set, says_nothing_of_cookies

from holdfast.flask import Holdfast, end_user, session
from holdfast.stores.memory import MemoryStore

pytestmark = [
    # Flask-Login 0.6.3 on Python 3.12 and later.
    pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning"),
]


class User(flask_login.UserMixin):
    """A user who is only an id."""

    def __init__(self, user_id):
        self.id = user_id


def login(user):
    login_user(User(user), remember="remember" in flask.request.args)
    return ""


def logout():
    logout_user()
    return ""


def me():
    return current_user.get_id() or "nobody"


@pytest.fixture(params=["alone", "revocable"])
def site(request, watched):
    """Return an application with Flask-Login, with revocations and without."""
    app = flask.Flask("shop", static_folder=None)
    app.config.update(SECRET_KEY=SECRET, TESTING=True)
    Holdfast(app, seal=True, revocations=watched if request.param == "revocable" else None)
    flask_login.LoginManager(app).user_loader(User)
    app.add_url_rule("/login/<user>", view_func=login)
    app.add_url_rule("/logout", view_func=logout)
    app.add_url_rule("/me", view_func=me)
    app.add_url_rule("/private", "private", login_required(lambda: "private"))
    app.add_url_rule("/fresh", "fresh", fresh_login_required(lambda: "fresh"))
    app.add_url_rule("/end/<user>", "end", lambda user: str(end_user(user)))
    return app


class Visitor(Browser):
    """Somebody who asks for pages by their paths."""

    def ask(self, path):
        response = self.client.get(path)
        return response.status_code, response.text


def test_flask_login(site):
    """Logging in, private pages and logging out work; another user's login begins anew."""
    visitor = Visitor(site)
    assert visitor.ask("/me") == (200, "nobody")
    assert visitor.ask("/private")[0] == 401
    assert visitor.ask("/login/ada") == (200, "")
    copy = Visitor(site, visitor.cookie)
    assert visitor.ask("/me") == (200, "ada")
    assert visitor.ask("/private") == (200, "private")
    assert visitor.ask("/fresh") == (200, "fresh")
    visitor.ask("/login/eve")
    assert visitor.ask("/me") == (200, "eve")
    if site.session_interface.store is not None:
        assert copy.ask("/me") == (200, "nobody"), "older cookies died"
    visitor.ask("/logout")
    assert visitor.ask("/me") == (200, "nobody")
    assert visitor.ask("/private")[0] == 401


def test_reading_sets_no_cookie(site):
    """A page that looks who the user is sets no cookie, and varies by it."""
    visitor = Visitor(site)
    visitor.ask("/login/ada")
    response = visitor.client.get("/me")
    assert says_nothing_of_cookies(response)
    assert response.headers["Vary"] == "Cookie"


def test_remember_me(site):
    """Who is remembered is a user again without a session, and not a fresh one."""
    visitor = Visitor(site)
    visitor.ask("/login/ada?remember")
    visitor.cookie = None
    assert visitor.ask("/me") == (200, "ada")
    assert visitor.cookie is not None
    assert visitor.ask("/fresh")[0] == 401
    visitor.ask("/logout")
    assert visitor.client.get_cookie("remember_token") is None
    visitor.cookie = None
    assert visitor.ask("/me") == (200, "nobody")


def test_session_protection(site):
    """Flask-Login's session protection goes on to work: another browser's cookie is not fresh."""
    visitor = Visitor(site)
    visitor.ask("/login/ada")
    thief = visitor.client.application.test_client()
    thief.set_cookie("session", visitor.cookie)
    headers = {"User-Agent": "another"}
    assert thief.get("/fresh", headers=headers).status_code == 401
    assert thief.get("/me", headers=headers).text == "ada"


def test_ending_a_user_of_flask_logins(watched):
    """end_user() ends who signed in by Flask-Login; a session that is popped empty is ended too."""
    app = sealed_site(revocations=watched)
    flask_login.LoginManager(app).user_loader(User)
    here, there = Browser(app), Browser(app)
    for browser in (here, there):
        browser.visit(lambda: login_user(User("ada")))
        assert browser.user() == "ada"
    copy = here.twin()
    here.visit(logout_user)
    assert copy.user() is None, "its id has ended with the logout"
    assert there.user() == "ada"
    there.visit(lambda: end_user("ada"))
    assert there.user() is None
    there.visit(lambda: login_user(User("ada")))
    assert there.user() == "ada"


@pytest.mark.parametrize("revocable", [False, True])
def test_forms(revocable):
    """A form's token is good in the session that it was made in, and in no other."""
    store = Watched(MemoryStore(purge_every=None)) if revocable else None
    app = sealed_site(revocations=store, WTF_CSRF_SSL_STRICT=False)
    flask_wtf.csrf.CSRFProtect(app)
    app.add_url_rule("/form", view_func=flask_wtf.csrf.generate_csrf)

    def sign_in():
        session["user_id"] = flask.request.form["user"]
        return ""

    app.add_url_rule("/login", view_func=sign_in, methods=["POST"])
    browser, other = Browser(app), Browser(app)
    token = browser.client.get("/form").text
    other.client.get("/form")
    data = {"user": "ada", "csrf_token": token}
    assert other.client.post("/login", data=data).status_code == 400
    assert browser.client.post("/login", data={"user": "ada"}).status_code == 400
    response = browser.client.post("/login", data=data)
    assert response.status_code == 200
    assert len(cookies_set(response)) == 1
    assert browser.user() == "ada"
    again = browser.twin()
    assert again.client.post("/login", data=data).status_code == 200, "its token is there still"
