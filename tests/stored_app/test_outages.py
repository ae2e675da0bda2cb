"""What an application answers while its store of sessions is away."""

# ruff: noqa: PLW0108 - `session` has its methods inside of a request alone

from __future__ import annotations

import logging

import flask
import pytest
from flask import stream_with_context
from visits import (
    AWAY,
    OPERATIONS,
    Browser,
    Watched,
    cookies_set,
    is_unavailable,
    make_app,
    record_of,
    says_nothing_of_cookies,
)
from werkzeug.exceptions import HTTPException

from holdfast import HoldfastError, OnOutage, Policy, SessionConflict, StoreUnavailable
from holdfast.flask import Holdfast, session
from holdfast.stores.memory import MemoryStore


@pytest.fixture
def watched(watched_both):
    """Return a store in memory, in one turn to be sealed."""
    return watched_both


@pytest.fixture
def known(browser, watched):
    """Return a browser with a session whose store is away."""
    browser.put(a=1)
    watched.taken()
    watched.switch(off=True)
    return browser


@pytest.fixture
def going_on(watched, events):
    """Return a browser with a session, of an application whose pages go on without the store."""
    app = make_app()
    Holdfast(app, store=watched, policy=Policy(on_outage=OnOutage.EMPTY), listeners=[events.append])
    browser = Browser(app)
    browser.put(a=1)
    watched.taken()
    watched.switch(off=True)
    events.clear()
    return browser


def unsaved(browser, watched):
    """Return a browser whose next load works and whose saving does not."""
    browser.put(a=1)
    watched.taken()
    watched.fails = lambda name: None if name == "load" else AWAY
    return browser


# Pages that don't use it


def test_an_untouched_page_does_not_notice(known, watched):
    """A request that does not use its session is answered as ever; static files and 404s too."""
    for path in ("/", "/static/visits.py"):
        response = known.visit(path=path, body="page")
        response.close()
        assert response.status_code == 200
        assert says_nothing_of_cookies(response)
    assert known.visit(path="/static/missing").status_code == 404
    assert watched.taken() == []


def test_an_anonymous_visit_does_not_notice(app, known, watched):
    """Whoever has no cookie, or one that is no token, reads an empty session without the store."""
    for cookie in (None, "nonsense"):
        browser = Browser(app, cookie)
        assert browser.contents() == {}
    assert watched.taken() == []


# In a view


def test_the_answer_in_a_view(known, watched):
    """Looking at the session raises StoreUnavailable; where nobody handles it the answer is 503."""
    before = known.cookie
    response = known.visit(lambda: session.get("a"), body="page")
    assert is_unavailable(response)
    assert response.headers["Retry-After"] == "7"
    assert "page" not in response.get_data(as_text=True)
    assert known.cookie == before
    assert watched.taken() == ["load"], "and it is not tried again for the answer"
    watched.switch(off=False)
    assert known.get("a") == 1


def test_a_view_can_catch_it(known):
    """A view may catch the error and go on without a session."""

    def page():
        with pytest.raises(StoreUnavailable) as raised:
            session.get("a")
        return raised.value.reason, raised.value.retry_after

    response = known.visit(page)
    assert response.status_code == 200
    assert response.result == (AWAY.reason, 7)
    assert says_nothing_of_cookies(response)


def test_writing_without_the_store(known):
    """Writing looks first, so it raises in the view too."""
    assert is_unavailable(known.visit(lambda: session.update(b=1)))


HANDLED = [StoreUnavailable, HoldfastError, 503, HTTPException, Exception]


@pytest.mark.parametrize("where", ["view", "commit"])
@pytest.mark.parametrize("order", ["before", "after"])
@pytest.mark.parametrize("handled", HANDLED, ids=str)
def test_a_handler_of_the_applications(watched, handled, order, where):
    """An application's handler for the error, its ancestors or 503 makes the answer."""
    app = make_app()
    seen = []

    def sorry(error):
        seen.append(error)
        return flask.Response("sorry", 503, {"X-Own": "yes"})

    if order == "before":
        app.register_error_handler(handled, sorry)
    Holdfast(app, store=watched)
    if order == "after":
        app.register_error_handler(handled, sorry)
    browser = unsaved(Browser(app), watched)
    if where == "view":
        watched.switch(off=True)
    response = browser.visit(lambda: session.update(a=2), body="page")
    assert len(seen) == 1
    assert isinstance(seen[0], handled) if isinstance(handled, type) else seen[0].code == handled
    assert response.get_data() == b"sorry"
    assert response.headers["X-Own"] == "yes"
    assert response.status_code == 503
    assert says_nothing_of_cookies(response)


def test_a_handler_of_a_blueprint(watched):
    """A blueprint's handler is asked for its views; at commit too."""
    app = make_app()
    Holdfast(app, store=watched)
    shop = flask.Blueprint("shop", __name__, url_prefix="/shop")

    @shop.errorhandler(StoreUnavailable)
    def sorry(_error):
        return "the shop is closed", 503

    @shop.route("/")
    def page():
        session.update(a=2)
        return ""

    app.register_blueprint(shop)
    browser = unsaved(Browser(app), watched)
    for fails in (watched.fails, lambda name: AWAY):
        watched.fails = fails
        response = browser.client.get("/shop/")
        assert (response.status_code, response.get_data()) == (503, b"the shop is closed")


def test_the_answer_is_the_same_where_errors_propagate(app, known, watched):
    """In tests and in debug mode the answer is 503 as well: it is no bug."""
    app.config.update(PROPAGATE_EXCEPTIONS=None, TESTING=True)
    assert is_unavailable(known.visit(lambda: session.get("a")))
    watched.fails = lambda name: None if name == "load" else AWAY
    assert is_unavailable(known.visit(lambda: session.update(a=2)))


def test_another_error_of_a_store_is_a_bug(app, known, watched):
    """Whatever else a store raises is a bug, and answered as one."""
    failures = []
    app.log_exception = lambda info: failures.append(info[1])
    watched.fails = lambda name: ValueError("a bug")
    assert known.visit(lambda: session.get("a")).status_code == 500
    assert isinstance(failures[0], ValueError)


# At commit


def test_the_answer_at_commit(browser, watched):
    """The response in hand is replaced: status, headers and body, and its other cookies."""
    unsaved(browser, watched)
    before = browser.cookie

    def page():
        response = flask.Response("saved!", 201, {"X-Page": "1", "Content-Type": "text/x-page"})
        response.set_cookie("theme", "dark")
        response.set_etag("page")
        return response

    response = browser.visit(lambda: session.update(a=2), body=page)
    assert is_unavailable(response)
    assert response.headers["Vary"] == "Cookie"
    assert not {"X-Page", "ETag"} & set(response.headers.keys())
    assert response.content_type.startswith("text/html")
    body = response.get_data()
    assert b"saved!" not in body
    assert int(response.headers["Content-Length"]) == len(body)
    assert browser.cookie == before
    assert browser.client.get_cookie("theme") is None
    assert watched.taken() == ["load", "save"], "and it is not tried again"
    watched.switch(off=False)
    assert browser.get("a") == 1


@pytest.mark.parametrize(
    ("action", "asked"),
    [
        (lambda: session.update(a=2), ["load", "save"]),
        (lambda: session.clear(), ["retire"]),
        (lambda: session.update(user_id="ada"), ["load", "save"]),
        (lambda: session.regenerate(), ["load", "save"]),
        (lambda: (session.clear(), session.update(b=1)), ["load", "save"]),
        (lambda: session.apply("a", lambda a: a + 1), ["load", "save"]),
    ],
)
def test_whatever_is_committed(browser, watched, action, asked):
    """Whatever it was that could not be stored: 503, no cookie, and what was is there still."""
    unsaved(browser, watched)
    assert is_unavailable(browser.visit(action))
    assert watched.taken() == asked
    watched.switch(off=False)
    assert browser.contents() == {"a": 1}


def test_a_first_write(app, watched):
    """Where a session can't begin there is no cookie of one."""
    watched.switch(off=True)
    browser = Browser(app)
    assert is_unavailable(browser.visit(lambda: session.update(a=1)))
    assert browser.cookie is None


def test_a_touch(browser, watched, events, now):
    """An activity that can't be noted is told of, and the page goes on: it lacks nothing."""
    unsaved(browser, watched)
    events.clear()
    now.time += 100
    response = browser.visit(lambda: session["a"], body="page")
    assert (response.status_code, response.result) == (200, 1)
    assert says_nothing_of_cookies(response)
    assert watched.taken() == ["load", "touch"]
    assert [event.name for event in events] == ["loaded", "store_unavailable"]


def test_head(browser, watched):
    """HEAD is answered like GET, without a body."""
    unsaved(browser, watched)
    response = browser.visit(lambda: session.update(a=2), body="page", method="HEAD")
    assert is_unavailable(response)
    assert response.get_data() == b""


class Body:
    """What a response streams; it tells how often it was closed."""

    def __init__(self):
        self.closed = self.read = 0

    def __iter__(self):
        self.read += 1
        yield b"page"

    def close(self):
        self.closed += 1


def test_the_old_body_is_closed(browser, watched):
    """The body that is not sent is closed once and never read; so are files and generators."""
    unsaved(browser, watched)
    body = Body()
    response = browser.visit(lambda: session.update(a=2), body=lambda: flask.Response(body))
    assert is_unavailable(response)
    assert b"page" not in response.get_data()
    response.close()
    assert (body.closed, body.read) == (1, 0)


def test_what_the_view_wanted_called_on_close(browser, watched):
    """Functions that are to be called when the response is closed are called, once."""
    unsaved(browser, watched)
    called = []

    def page():
        response = flask.Response("page")
        response.call_on_close(lambda: called.append(1))
        return response

    browser.visit(lambda: session.update(a=2), body=page).close()
    assert called == [1]


def test_a_streaming_response(browser, watched):
    """A response that would be streamed, with the request's context kept, is replaced too."""
    unsaved(browser, watched)
    ended = []

    def stream():
        try:
            yield "first"
            yield str(session["a"])
        finally:
            ended.append(1)

    for wrap in (lambda generator: generator, stream_with_context):
        response = browser.visit(
            lambda: session.update(a=2), body=lambda wrap=wrap: flask.Response(wrap(stream()))
        )
        assert is_unavailable(response)
        assert b"first" not in response.get_data()
        response.close()
    watched.switch(off=False)
    assert browser.get("a") == 1
    assert not flask.has_request_context()


def test_a_file(browser, watched, tmp_path):
    """A file that would be sent is closed."""
    unsaved(browser, watched)
    (tmp_path / "page.txt").write_text("page")
    files = []

    def page():
        response = flask.send_file(tmp_path / "page.txt")
        files.append(response.response.file)
        return response

    response = browser.visit(lambda: session.update(a=2), body=page)
    assert is_unavailable(response)
    assert b"page" not in response.get_data()
    assert files[0].closed


def test_a_handler_that_streams(app, browser, watched, tmp_path):
    """An application's answer may be streamed as text, also in place of a file; it is closed."""
    (tmp_path / "page.txt").write_text("page")
    closed = []

    @app.errorhandler(StoreUnavailable)
    def sorry(_error):
        response = flask.Response((text for text in ("sor", "ry")), 503)
        response.call_on_close(lambda: closed.append(1))
        return response

    unsaved(browser, watched)
    for body in ("page", lambda: flask.send_file(tmp_path / "page.txt")):
        response = browser.visit(lambda: session.update(a=2), body=body)
        assert response.get_data() == b"sorry"
        response.close()
    assert closed == [1, 1]


def test_a_handler_that_aborts(app, browser, watched):
    """A handler that ends in abort() is answered by that error, or by a plain 503; never by 500."""

    @app.errorhandler(StoreUnavailable)
    def sorry(_error):
        flask.abort(503)

    unsaved(browser, watched)
    response = browser.visit(lambda: session.update(a=2))
    assert response.status_code == 503
    assert says_nothing_of_cookies(response)


def looks_around(app, watched):
    """Return a browser of a known session, and what says when the application looks at it."""
    where = set()

    @app.before_request
    def look_before():
        if "before" in where:
            session.get("a")

    @app.after_request
    def look_after(response):
        if "after" in where:
            session.get("a")
        return response

    browser = Browser(app)
    browser.put(a=1)
    watched.switch(off=True)
    return browser, where


def test_a_function_before_the_request(app, watched):
    """A function before the request that looks at the session is answered like a view."""
    browser, where = looks_around(app, watched)
    where.add("before")
    assert is_unavailable(browser.visit(body="page"))
    where.add("after")
    assert browser.visit(body="page").status_code == 500


def test_a_function_after_the_request(app, watched):
    """Where a function after the request looks first, Flask answers 500, as to all its errors."""
    browser, where = looks_around(app, watched)
    where.add("after")
    response = browser.visit(body="page")
    assert response.status_code == 500
    assert says_nothing_of_cookies(response)
    watched.switch(off=False)
    assert browser.get("a") == 1


def test_a_redirect(browser, watched):
    """A page that would redirect does not: who logged in is not sent on as if that were stored."""
    unsaved(browser, watched)
    response = browser.visit(
        lambda: session.update(user_id="ada"), body=lambda: flask.redirect("/home")
    )
    assert is_unavailable(response)
    assert "Location" not in response.headers


@pytest.mark.parametrize("where", ["view", "commit"])
def test_a_handler_that_uses_the_session(app, browser, watched, where, caplog):
    """A handler that looks at the session where it can't be loaded is no endless loop."""

    @app.errorhandler(StoreUnavailable)
    def sorry(_error):
        return f"sorry, a is {session.get('a')}", 503

    unsaved(browser, watched)
    if where == "view":
        watched.switch(off=True)
    caplog.set_level(logging.CRITICAL)
    response = browser.visit(lambda: session.update(a=2), body="page")
    assert says_nothing_of_cookies(response)
    if where == "view":
        assert response.status_code == 500
        assert watched.taken() == ["load", "load"]
    else:
        assert (response.status_code, response.get_data()) == (503, b"sorry, a is 2")
        assert watched.taken() == ["load", "save"]


def test_a_handler_that_writes_to_the_session(app, browser, watched):
    """What a handler writes after the failure is not stored."""

    @app.errorhandler(503)
    def sorry(_error):
        session["sorry"] = True
        return "sorry", 503

    unsaved(browser, watched)
    response = browser.visit(lambda: session.update(a=2))
    assert response.get_data() == b"sorry"
    assert says_nothing_of_cookies(response)
    assert watched.taken() == ["load", "save"]
    watched.switch(off=False)
    assert browser.contents() == {"a": 1}


def test_a_handler_that_fails(app, browser, watched, caplog):
    """A handler that fails at commit is logged, and the answer is a plain 503."""

    @app.errorhandler(StoreUnavailable)
    def sorry(_error):
        msg = "a bug in the handler"
        raise ValueError(msg)

    unsaved(browser, watched)
    assert is_unavailable(browser.visit(lambda: session.update(a=2)))
    assert "a bug in the handler" in caplog.text


def test_a_handler_that_sets_cookies(app, browser, watched):
    """Cookies that the handler sets are its own affair, and sent."""

    @app.errorhandler(StoreUnavailable)
    def sorry(_error):
        response = flask.Response("sorry", 503, {"Vary": "Accept"})
        response.set_cookie("seen", "sorry")
        return response

    unsaved(browser, watched)
    response = browser.visit(lambda: session.update(a=2))
    assert cookies_set(response, "seen")
    assert not cookies_set(response)
    assert {each.lower() for each in response.vary} == {"accept", "cookie"}


def test_an_error_page_when_it_cannot_be_saved_either(app, browser, watched):
    """A view that failed, whose session can't be stored, is answered once, by 503."""
    unsaved(browser, watched)

    def page():
        session["a"] = 2
        raise ValueError

    assert is_unavailable(browser.visit(page))
    assert watched.taken() == ["load", "save"]


def test_it_is_not_tried_again(app, browser, watched):
    """A session that failed to be stored is not tried again, whoever calls save_session."""
    unsaved(browser, watched)

    def page():
        session["a"] = 2
        first, second = flask.Response("one"), flask.Response("two")
        for response in (first, second):
            app.session_interface.save_session(app, flask.globals.request_ctx.session, response)
        return first.status_code, second.status_code

    result = browser.visit(page, body="page")
    assert result.result == (503, 200)
    assert watched.taken() == ["load", "save"]
    assert says_nothing_of_cookies(result)


def test_an_answer_that_was_lost(browser, watched):
    """Where a write was performed and its answer lost, the answer is 503 and nothing is doubled."""
    browser.put(n=1)
    watched.loses = lambda name: AWAY if name == "save" else None
    assert is_unavailable(browser.visit(lambda: session.apply("n", lambda n: n + 1)))
    watched.loses = lambda name: None
    assert browser.get("n") == 2


def test_a_logout_whose_answer_was_lost(browser, watched):
    """A logout whose answer was lost is not acknowledged, keeps the cookie, and holds."""
    browser.put(a=1)
    watched.loses = lambda name: AWAY
    before = browser.cookie
    assert is_unavailable(browser.clear())
    watched.loses = lambda name: None
    assert browser.cookie == before
    assert browser.contents() == {}


def test_all_comes_back(known, watched, events):
    """When the store is there again, so are the sessions, with no cookie changed meanwhile."""
    before = known.cookie
    for use in (
        lambda: session.get("a"),
        lambda: session.update(a=2),
        lambda: session.clear(),
        lambda: session.update(user_id="ada"),
        lambda: session.regenerate(),
    ):
        response = known.visit(use)
        assert is_unavailable(response)
        assert known.cookie == before
    assert {event.name for event in events[1:]} == {"store_unavailable"}
    watched.switch(off=False)
    assert known.contents() == {"a": 1}


# A policy that goes on


def test_going_on(going_on, watched, events):
    """By policy a page that looks at its session gets an empty one, and no cookie is changed."""
    before = going_on.cookie
    response = going_on.visit(lambda: (dict(session), session.new, session.user_id), body="page")
    assert response.get_data() == b"page"
    assert response.result == ({}, True, None)
    assert says_nothing_of_cookies(response)
    assert response.headers["Vary"] == "Cookie"
    assert going_on.cookie == before
    assert watched.taken() == ["load"]
    assert [event.name for event in events] == ["store_unavailable"]
    watched.switch(off=False)
    assert going_on.contents() == {"a": 1}


def test_going_on_drops_what_is_written(going_on, watched, events):
    """What is written to such a session is dropped, with an event, and no cookie is set."""
    response = going_on.visit(lambda: session.update(a=2, cart=[1]))
    assert response.status_code == 200
    assert says_nothing_of_cookies(response)
    assert watched.taken() == ["load"]
    assert [event.name for event in events] == ["store_unavailable", "dropped"]
    watched.switch(off=False)
    assert going_on.contents() == {"a": 1}


def test_going_on_though_the_store_comes_back_meanwhile(going_on, watched):
    """A session that could not be loaded saves nothing, even if the store is back by then."""

    def page():
        session.get("a")
        watched.switch(off=False)
        session["a"] = 2

    response = going_on.visit(page)
    assert response.status_code == 200
    assert says_nothing_of_cookies(response)
    assert going_on.contents() == {"a": 1}


@pytest.mark.parametrize(
    "action",
    [
        lambda: session.clear(),
        lambda: session.update(user_id="ada"),
        lambda: (session.get("a"), session.clear()),
        lambda: (session.clear(), session.update(user_id="ada")),
        lambda: (session.get("a"), session.update(_user_id="ada")),
    ],
)
def test_login_and_logout_still_fail(going_on, action):
    """Nobody is told to be logged in or out where that could not be stored."""
    before = going_on.cookie
    assert is_unavailable(going_on.visit(action, body="done"))
    assert going_on.cookie == before


def test_a_login_after_the_store_came_back(going_on, watched):
    """A login in a session that could not be loaded fails, though the store is back by then.

    What the browser has would otherwise go on to be good beside it.
    """

    def page():
        session.get("a")
        watched.switch(off=False)
        session["user_id"] = "ada"

    assert is_unavailable(going_on.visit(page))
    assert going_on.contents() == {"a": 1}


def test_a_logout_after_the_store_came_back(going_on, watched):
    """A logout in a session that could not be loaded ends it, if the store is back by then."""
    twin = going_on.twin()

    def page():
        session.get("a")
        watched.switch(off=False)
        session.clear()

    assert cookies_set(going_on.visit(page))[0].value == ""
    assert twin.contents() == {}


def test_going_on_and_saving(going_on, watched):
    """A session that was loaded and can't be saved fails as ever: its write was seen to work."""
    watched.fails = lambda name: None if name == "load" else AWAY
    assert is_unavailable(going_on.visit(lambda: session.update(a=2)))


# Conflicts


def test_a_conflict(app, browser, watched):
    """A session that others change again and again answers 503 too, soon to be tried again."""
    browser.put(n=0)
    save = watched.store.save
    watched.store.save = lambda record: False
    try:
        response = browser.visit(lambda: session.update(n=1))
    finally:
        watched.store.save = save
    assert is_unavailable(response, retry_after=SessionConflict.retry_after)
    assert response.headers["Vary"] == "Cookie"
    assert browser.get("n") == 0


def test_a_handler_for_conflicts(app, browser, watched):
    """An application's handler for SessionConflict makes the answer, and is told the session."""
    seen = []

    @app.errorhandler(SessionConflict)
    def sorry(error):
        seen.append(error)
        return "busy", 409

    browser.put(n=0)
    save = watched.store.save
    watched.store.save = lambda record: False
    try:
        response = browser.visit(lambda: session.update(n=1))
    finally:
        watched.store.save = save
    assert (response.status_code, response.get_data()) == (409, b"busy")
    assert seen[0].handle == record_of(watched, browser.cookie).handle
    assert seen[0].attempts > 10


# All of it


QUIET_USES = (
    lambda: session.get("a"),
    lambda: session.update(a=2),
    lambda: session.pop("a", None),
)
USES = (
    *QUIET_USES,
    lambda: session.regenerate(),
    lambda: session.clear(),
    lambda: (session.clear(), session.update(b=1)),
    lambda: session.update(user_id="ada"),
)


@pytest.mark.parametrize("policy", list(OnOutage), ids=str)
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("lost", [False, True])
def test_no_cookie_is_changed_because_the_store_was_away(policy, operation, lost):
    """Whichever operation fails: no cookie is set or deleted, and no answer is an error but 503.

    Where pages go on, a login or a logout after a failed load may still be stored, and says so.
    """
    watched = Watched(MemoryStore())
    app = make_app()
    Holdfast(app, store=watched, policy=Policy(on_outage=policy), listeners=())
    for use in USES:
        watched.switch(off=False)
        watched.loses = lambda name: None
        browser = Browser(app)
        browser.put(a=1)
        fails = {operation: AWAY}.get
        if lost:
            watched.loses = fails
        else:
            watched.fails = fails
        watched.taken()
        response = browser.visit(use)
        failed = operation in watched.taken()
        goes_on = failed and policy is OnOutage.EMPTY and operation == "load"
        if goes_on and use not in QUIET_USES:
            assert is_unavailable(response) or response.status_code == 200
            continue
        assert response.status_code == (503 if failed and not goes_on else 200)
        if failed:
            assert says_nothing_of_cookies(response)
