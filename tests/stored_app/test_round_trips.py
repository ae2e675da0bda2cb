"""How often whole requests ask the store: the budgets of the design."""

# ruff: noqa: PLW0108 - `session` has its methods inside of a request alone

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import flask
import pytest
from visits import SECRET, Browser, Watched, make_app, signed_cookie

from holdfast.flask import Holdfast, session


def on(store, **config):
    app = make_app(**config)
    Holdfast(app, store=store, listeners=())
    return app


@pytest.fixture
def over(local_store):
    """Return a store to count on, over each that needs no server."""
    return Watched(local_store)


@pytest.fixture
def visitor(over):
    """Return a browser that has a session."""
    browser = Browser(on(over))
    browser.put(a=1, nested=[])
    over.taken()
    return browser


BUDGETS = {
    "untouched": (lambda: None, []),
    "permanent set": (lambda: setattr(session, "permanent", True), []),
    "transient keys": (lambda: session.pop("_remember", None), []),
    "read": (lambda: session.get("a"), ["load"]),
    "read a lot": (
        lambda: (dict(session), session.handle, session.created, session.user_id, session.new),
        ["load"],
    ),
    "read what is nested": (lambda: session["nested"], ["load"]),
    "write": (lambda: session.update(a=2), ["load", "save"]),
    "write a lot": (lambda: [session.update({str(n): n}) for n in range(9)], ["load", "save"]),
    "write what is there": (lambda: session.update(a=1), ["load"]),
    "change what is nested": (lambda: session["nested"].append(1), ["load", "save"]),
    "apply": (lambda: session.apply("a", lambda a: a + 1), ["load", "save"]),
    "pop": (lambda: session.pop("a"), ["load", "save"]),
    "regenerate": (lambda: session.regenerate(), ["load", "save"]),
    "login": (lambda: session.update(user_id="ada"), ["load", "save"]),
    "login after clear": (lambda: (session.clear(), session.update(user_id="a")), ["load", "save"]),
    "logout": (lambda: session.clear(), ["retire"]),
    "logout after a look": (lambda: (session.get("a"), session.clear()), ["load", "retire"]),
    "flash": (lambda: flask.flash("hello"), ["load", "save"]),
    "read flashes": (lambda: flask.get_flashed_messages(), ["load"]),
}


@pytest.mark.parametrize(("use", "asked"), BUDGETS.values(), ids=BUDGETS.keys())
def test_a_request_with_a_session(visitor, over, use, asked):
    """A request asks this of the store, and no more, whatever it does and how often."""
    assert visitor.visit(use).status_code == 200
    assert over.taken() == asked


FIRST = {
    "untouched": (lambda: None, []),
    "read": (lambda: session.get("a"), []),
    "permanent set": (lambda: setattr(session, "permanent", True), []),
    "first write": (lambda: session.update(a=2), ["create"]),
    "login": (lambda: session.update(user_id="ada"), ["create"]),
    "logout": (lambda: session.clear(), []),
    "write and empty": (lambda: (session.update(a=1), session.pop("a")), []),
    "write and clear": (lambda: (session.update(a=1), session.clear()), []),
    "regenerate": (lambda: session.regenerate(), []),
}


@pytest.mark.parametrize("cookie", [None, "nonsense", "A" * 65])
@pytest.mark.parametrize(("use", "asked"), FIRST.values(), ids=FIRST.keys())
def test_a_request_without_a_session(over, use, asked, cookie):
    """With no token, or what has not the shape of one, only beginning a session asks anything."""
    assert Browser(on(over), cookie).visit(use).status_code == 200
    assert over.taken() == asked


def test_an_unknown_token(over):
    """An unknown token is looked up once; a write begins another session."""
    app = on(over)
    for use, asked in (
        (lambda: session.get("a"), ["load"]),
        (lambda: session.update(a=1), ["load", "create"]),
        (lambda: session.clear(), ["retire"]),
    ):
        Browser(app, "A" * 64).visit(use)
        assert over.taken() == asked


def test_static_files_and_missing_pages(visitor, over):
    """Static files, pages that are missing and methods that are not allowed ask nothing."""
    client = visitor.client
    for path, method, status in (
        ("/static/visits.py", "GET", 200),
        ("/static/missing", "GET", 404),
        ("/", "DELETE", 405),
        ("/", "OPTIONS", 200),
    ):
        with client.open(path, method=method) as response:
            assert response.status_code == status
            assert "Vary" not in response.headers
            assert "Set-Cookie" not in response.headers
    assert over.taken() == []


def test_static_files_where_something_looks_after_every_response(over):
    """What Flask-Login asks for after every response, and `permanent` before, cost nothing."""
    app = on(over)
    app.before_request(lambda: setattr(session, "permanent", True))

    @app.after_request
    def remember(response):
        if "_remember" not in session:
            session.get("_remember_seconds")
        return response

    browser = Browser(app)
    browser.put(a=1)
    over.taken()
    with browser.client.get("/static/visits.py") as response:
        assert response.status_code == 200
        assert "Set-Cookie" not in response.headers
    assert over.taken() == []


def test_a_touch_when_it_is_due(browser, watched, now):
    """A read costs one more when the last noted activity is a minute old, and not before."""
    browser.put(a=1)
    watched.taken()
    asked = []
    for seconds in (0, 59, 1, 1, 58, 1, 10_000):
        now.time += seconds
        browser.get("a")
        asked.append(len(watched.taken()))
    assert asked == [1, 1, 2, 1, 1, 2, 2]


def test_a_touch_of_a_short_session(app, browser, watched, now):
    """Where the lifetime is short, it is due after a tenth of it."""
    app.config["PERMANENT_SESSION_LIFETIME"] = timedelta(seconds=200)
    browser.put(a=1)
    watched.taken()
    for seconds, asked in ((19, ["load"]), (1, ["load", "touch"]), (19, ["load"])):
        now.time += seconds
        browser.get("a")
        assert watched.taken() == asked


def test_no_touch_beside_a_write(browser, watched, now):
    """A write notes the activity with it."""
    browser.put(a=1)
    now.time += 100
    browser.put(a=2)
    watched.taken()
    now.time += 59
    browser.get("a")
    assert watched.taken() == ["load"]


def test_a_merge(visitor, over):
    """A save that was refused costs two more: what is there is loaded, and saved anew."""
    twin = visitor.twin()
    over.meanwhile["save"] = lambda: (twin.put(b=1), over.taken())
    visitor.visit(lambda: session.update(c=1))
    assert over.taken() == ["save", "load", "save"]


def test_a_late_request(visitor, over):
    """A request whose session is ended meanwhile learns so from its refused save."""
    twin = visitor.twin()
    over.meanwhile["save"] = lambda: (twin.clear(), over.taken())
    visitor.visit(lambda: session.update(c=1))
    assert over.taken() == ["save", "load"]


def test_a_stored_session_while_others_move(local_store):
    """During a migration stored sessions cost what they always cost."""
    over = Watched(local_store)
    app = make_app(SECRET_KEY=SECRET)
    until = datetime.now(UTC) + timedelta(days=1)
    Holdfast(app, store=over, migrate_until=until, listeners=())
    browser = Browser(app)
    browser.put(a=1)
    browser.get("a")
    browser.put(a=2)
    browser.clear()
    assert over.taken() == ["create", "load", "load", "save", "retire"]
    browser.cookie = signed_cookie({"a": 1}, "another key that is no key of this app")
    browser.put(a=1)
    assert over.taken() == ["create"]
