"""Flask-Login from end to end, on every store."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import flask
import flask_login
import pytest
from flask import flash, get_flashed_messages, request
from flask_login import current_user, fresh_login_required, login_required, login_user, logout_user
from visits import SECRET, Browser, Watched, cookies_set, record_of, says_nothing_of_cookies

from holdfast.flask import Holdfast, session

pytestmark = [
    # Flask-Login 0.6.3 on Python 3.12 and later.
    pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning"),
]

KEYS_OF_LOGIN = {"_user_id", "_fresh", "_id"}


class User(flask_login.UserMixin):
    """A user who is only an id."""

    def __init__(self, user_id):
        self.id = user_id


@pytest.fixture
def watched(store):
    return Watched(store)


@pytest.fixture
def app(watched, events):
    """Return an application with Flask-Login and its usual views, on each store."""
    app = flask.Flask("shop", static_folder=Path(__file__).parent, static_url_path="/static")
    app.config.update(SECRET_KEY=SECRET, TESTING=True)
    Holdfast(app, store=watched, listeners=[events.append])
    manager = flask_login.LoginManager(app)
    manager.login_view = "pages.login"
    manager.user_loader(User)
    app.register_blueprint(pages)
    return app


pages = flask.Blueprint("pages", __name__)


@pages.route("/login/<user>")
@pages.route("/login")
def login(user=None):
    if user is not None:
        wait_for_others()
        login_user(User(user), remember="remember" in request.args)
    return ""


@pages.route("/logout")
def logout():
    logout_user()
    return ""


@pages.route("/me")
def me():
    user = current_user.get_id() or "nobody"
    wait_for_others()
    return user


@pages.route("/private")
@login_required
def private():
    return "private"


@pages.route("/fresh")
@fresh_login_required
def fresh():
    return "fresh"


@pages.route("/confirm")
def confirm():
    flask_login.confirm_login()
    return ""


@pages.route("/put/<key>/<value>")
def put(key, value):
    session.get(key)
    wait_for_others()
    session[key] = value
    return ""


@pages.route("/clear")
def clear():
    session.clear()
    if (user := request.args.get("user")) is not None:
        login_user(User(user))
    if (message := request.args.get("message")) is not None:
        flash(message)
    return ""


@pages.route("/messages")
def messages():
    return get_flashed_messages()


@pages.route("/all")
def everything():
    return dict(session)


@pages.route("/plain")
def plain():
    return "no session is used here"


def wait_for_others():
    """Wait, between reading the session and writing it, as the request says."""
    request.environ.get("test.wait", lambda: None)()


def get(browser, path, *, agent="one", wait=lambda: None):
    """Visit a page; ``wait`` is called where it waits for others."""
    response = browser.client.get(
        path, headers={"User-Agent": agent}, environ_overrides={"test.wait": wait}
    )
    assert response.status_code < 500, response.text
    return response


def contents(app, token, **how):
    """Return what a token opens; whoever uses it sees nothing happen to the cookie."""
    response = get(Browser(app, token), "/all", **how)
    assert says_nothing_of_cookies(response)
    return response.json


def in_parallel(browsers, paths):
    """Visit a page in each browser; all wait until each has read its session."""
    barrier = threading.Barrier(len(paths), timeout=30)
    with ThreadPoolExecutor(len(paths)) as threads:
        return list(
            threads.map(
                lambda browser, path: get(browser, path, wait=barrier.wait), browsers, paths
            )
        )


@pytest.fixture
def meanwhile():
    """Return what visits a page and, between its reading and writing, calls a function."""
    with ThreadPoolExecutor(1) as thread:

        def visit(browser, path, function):
            stopped, going_on = threading.Event(), threading.Event()

            def wait():
                stopped.set()
                assert going_on.wait(30)

            slow = thread.submit(get, browser, path, wait=wait)
            assert stopped.wait(30)
            try:
                function()
            finally:
                going_on.set()
            return slow.result(30)

        yield visit


def test_login(app, browser, store):
    """A login gets a new token, keeps what the visitor had, and is found by its user."""
    get(browser, "/put/cart/book")
    before = browser.cookie
    get(browser, "/login/ada")
    assert browser.cookie not in {None, before}
    assert get(browser, "/me").text == "ada"
    assert get(browser, "/private").text == "private"
    assert contents(app, browser.cookie)["cart"] == "book"
    assert contents(app, before) == {}
    assert record_of(store, browser.cookie).user_id == "ada"


def test_logout(app, browser, store):
    """After a logout no token of before lives; what the application kept goes on as nobody's."""
    tokens = []
    for path in ("/put/cart/book", "/login/ada"):
        get(browser, path)
        tokens.append(browser.cookie)
    get(browser, "/logout")
    assert browser.cookie not in {None, *tokens}
    assert get(browser, "/me").text == "nobody"
    assert get(browser, "/private").status_code == 302
    assert contents(app, browser.cookie)["cart"] == "book"
    assert not KEYS_OF_LOGIN & contents(app, browser.cookie).keys() - {"_fresh"}
    assert record_of(store, browser.cookie).user_id is None
    for token in tokens:
        assert contents(app, token) == {}


def test_logout_of_who_is_remembered(app, browser):
    """A logout deletes the cookie that remembers the user, so that the next page finds nobody."""
    get(browser, "/login/ada?remember")
    token = browser.cookie
    assert browser.client.get_cookie("remember_token")
    get(browser, "/logout")
    assert browser.client.get_cookie("remember_token") is None
    assert get(browser, "/me").text == "nobody"
    assert contents(app, token) == {}


def remembered(app, **cookies):
    """Return a browser that Flask-Login remembers, and that has these cookies besides."""
    browser = Browser(app)
    get(browser, "/login/ada?remember")
    kept = browser.client.get_cookie("remember_token").value
    browser = Browser(app, **cookies)
    browser.client.set_cookie("remember_token", kept)
    return browser


def test_remembered_without_a_session(app):
    """Five parallel requests of who is remembered see the user, and each answer's token works."""
    browsers = [remembered(app) for _ in range(5)]
    responses = in_parallel(browsers, ["/me"] * 5)
    assert [response.text for response in responses] == ["ada"] * 5
    for browser in browsers:
        assert get(Browser(app, browser.cookie), "/me").text == "ada"


def test_remembered_with_a_session(app, browser, events):
    """Of five such requests with one session, one sets a cookie: that session's, now the user's."""
    get(browser, "/put/cart/book")
    before = browser.cookie
    browsers = [remembered(app, cookie=before) for _ in range(5)]
    events.clear()
    responses = in_parallel(browsers, ["/me"] * 5)
    assert [response.text for response in responses] == ["ada"] * 5
    changed = [each.cookie for each in browsers if each.cookie != before]
    assert len(changed) == sum(len(cookies_set(response)) for response in responses) == 1
    assert contents(app, changed[0]) | {"_id": ""} == {
        "cart": "book",
        "_user_id": "ada",
        "_fresh": False,
        "_id": "",
    }
    assert contents(app, before) == {}
    assert not [event for event in events if event.name == "created"]


def test_remembered_is_not_fresh(browser, app):
    """Who was remembered is asked to log in anew for what needs a fresh login, until confirmed."""
    browser = remembered(app)
    assert get(browser, "/private").text == "private"
    assert get(browser, "/fresh").status_code == 401
    get(browser, "/confirm")
    assert get(browser, "/fresh").text == "fresh"
    browser = remembered(app)
    assert get(browser, "/fresh").status_code == 401
    get(browser, "/login/ada")
    assert get(browser, "/fresh").text == "fresh"


def test_clear_then_login(app, browser, store):
    """``clear()`` and then a user is a login to a session with nothing of before."""
    get(browser, "/put/cart/book")
    tokens = [browser.cookie]
    for user in ("ada", "eve", "eve"):
        get(browser, f"/clear?user={user}")
        assert get(browser, "/me").text == user
        assert contents(app, browser.cookie).keys() == KEYS_OF_LOGIN
        assert record_of(store, browser.cookie).user_id == user
        for token in tokens:
            assert contents(app, token) == {}
        tokens.append(browser.cookie)
    assert len(set(tokens)) == 4


def test_clear_then_flash(app, browser, store):
    """``clear()`` and then ``flash()`` is a logout, and the message is there."""
    get(browser, "/put/cart/book")
    get(browser, "/login/ada")
    token = browser.cookie
    get(browser, "/clear?message=Goodbye")
    assert contents(app, token) == {}
    assert contents(app, browser.cookie) == {"_flashes": [["message", "Goodbye"]]}
    assert record_of(store, browser.cookie).user_id is None
    assert get(browser, "/messages").json == ["Goodbye"]
    assert get(browser, "/me").text == "nobody"


def test_clear(app, browser):
    """``clear()`` alone is a logout: it deletes the cookie."""
    get(browser, "/login/ada")
    token = browser.cookie
    get(browser, "/clear")
    assert browser.cookie is None
    assert contents(app, token) == {}


def test_another_user(app, browser, store):
    """Where another user logs in, nothing of the first is there, and no token of before lives."""
    get(browser, "/put/cart/book")
    tokens = [browser.cookie]
    get(browser, "/login/ada")
    get(browser, "/put/secret/adas")
    tokens.append(browser.cookie)
    get(browser, "/login/eve")
    assert contents(app, browser.cookie).keys() == KEYS_OF_LOGIN
    assert get(browser, "/me").text == "eve"
    assert record_of(store, browser.cookie).user_id == "eve"
    for token in tokens:
        assert contents(app, token) == {}


def test_basic_protection(app, browser):
    """Another browser with a token is logged in, but not fresh: for the first one neither."""
    get(browser, "/login/ada")
    assert get(browser, "/fresh").text == "fresh"
    other = Browser(app, browser.cookie)
    assert get(other, "/me", agent="another").text == "ada"
    assert get(other, "/fresh", agent="another").status_code == 401
    assert get(browser, "/private").text == "private"
    assert get(browser, "/fresh").status_code == 401


def test_strong_protection(app, browser, store):
    """With strong protection another browser with a token ends the login, and finds nobody."""
    app.config["SESSION_PROTECTION"] = "strong"
    get(browser, "/login/ada")
    token = browser.cookie
    assert get(browser, "/fresh").text == "fresh"
    other = Browser(app, token)
    assert get(other, "/me", agent="another").text == "nobody"
    assert contents(app, token) == {}
    assert get(browser, "/private").status_code == 302
    for each in (browser, other):
        assert record_of(store, each.cookie).user_id is None
        assert get(each, "/me", agent="another").text == "nobody"


def test_logout_while_other_tabs_write(app, browser, meanwhile, events):
    """A logout in one tab stays one, and so does its cookie, when another's slow answer comes."""
    for path in ("/logout", "/clear", "/clear?message=Goodbye"):
        get(browser, "/login/ada")
        token = browser.cookie
        slow = meanwhile(browser.twin(), "/put/late/1", lambda path=path: get(browser, path))
        assert says_nothing_of_cookies(slow)
        assert events[-1].name == "dropped"
        assert contents(app, token) == {}
        assert get(browser, "/me").text == "nobody"
        assert "late" not in get(browser, "/all").json


def test_logout_while_other_tabs_read(app, browser, meanwhile):
    """A page that was under way during a logout still greets its user, and does nothing else."""
    get(browser, "/login/ada")
    token = browser.cookie
    slow = meanwhile(browser.twin(), "/me", lambda: get(browser, "/logout"))
    assert slow.text == "ada"
    assert says_nothing_of_cookies(slow)
    assert contents(app, token) == {}


def test_requests_that_come_after_a_logout(app, browser):
    """What other tabs send with the token of before finds nobody and leaves the cookie alone."""
    get(browser, "/login/ada")
    tabs = [browser.twin() for _ in range(4)]
    get(browser, "/logout")
    for tab, path in zip(tabs, ["/me", "/private", "/put/late/1", "/logout"], strict=True):
        response = get(tab, path)
        assert says_nothing_of_cookies(response)
        assert response.text not in {"ada", "private"}
    assert get(browser, "/all").json.keys() <= {"_fresh"}


def test_remembered_tabs_after_a_logout(app, events):
    """What a remembered user's other tabs had sent before a logout begins no session anew."""
    browser = remembered(app)
    get(browser, "/me")
    tabs = [remembered(app, cookie=browser.cookie) for _ in range(3)]
    events.clear()
    get(browser, "/logout")
    responses = in_parallel(tabs, ["/me"] * 3)
    assert all(says_nothing_of_cookies(response) for response in responses)
    names = [event.name for event in events]
    assert names.count("dropped") == 3
    assert "created" not in names
    assert get(browser, "/me").text == "nobody"


def test_login_with_a_dead_token(app, browser):
    """Who was signed out elsewhere can sign in again at once."""
    get(browser, "/login/ada")
    get(browser.twin(), "/clear")
    get(browser, "/login/ada")
    assert get(browser, "/me").text == "ada"
    assert get(browser, "/fresh").text == "fresh"


def test_double_click_on_login(app, browser):
    """Of two logins at once each answer's token works, with and without a session of before."""
    for path in ("/plain", "/put/cart/book"):
        get(browser, path)
        browsers = [browser.twin(), browser.twin()]
        in_parallel(browsers, ["/login/ada"] * 2)
        assert browsers[0].cookie != browsers[1].cookie
        for each in browsers:
            assert get(Browser(app, each.cookie), "/fresh").text == "fresh"


@pytest.mark.parametrize("path", ["/plain", "/static/visits.py", "/static/missing", "/missing"])
def test_pages_that_cost_nothing(app, watched, path):
    """Static files, pages that are not found and those without a session ask no store."""
    app.before_request(lambda: setattr(session, "permanent", True))
    for browser in (Browser(app), remembered(app), Browser(app, "forged")):
        get(browser, "/me")
        watched.taken()
        response = get(browser, path)
        response.close()
        assert response.status_code == (404 if "missing" in path else 200)
        assert watched.taken() == []
        assert says_nothing_of_cookies(response)


def test_what_pages_cost(app, browser, watched):
    """A page that asks who the user is costs one round trip, a login and a logout two."""
    asked = {"/login/ada": ["create"], "/me": ["load"], "/private": ["load"]}
    asked |= {"/put/cart/book": ["load", "save"], "/logout": ["load", "save"]}
    asked |= {"/login/eve": ["load", "save"], "/clear": ["retire"], "/login": []}
    for path, operations in asked.items():
        get(browser, path)
        assert watched.taken() == operations, path


def test_logging_out_is_no_login_of_what_another_key_names(app, browser, watched):
    """Where Flask-Login keeps the user, session["user_id"] is the application's own affair."""
    get(browser, "/login/ada")
    get(browser, "/put/user_id/bob")
    get(browser, "/logout")
    assert record_of(watched, browser.cookie).user_id is None
