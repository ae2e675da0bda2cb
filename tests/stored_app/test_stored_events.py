"""What is told of stored sessions: to listeners, and by default to a log."""

# ruff: noqa: PLW0108 - `session` has its methods inside of a request alone

from __future__ import annotations

import logging
import typing

import pytest
from visits import AWAY, Browser, make_app, parts_of, record_of

from holdfast import Event
from holdfast.core.events import EventName
from holdfast.flask import Holdfast, session

NAMES = set(typing.get_args(EventName))


@pytest.fixture
def watched(watched_both):
    """Return a store in memory, in one turn to be sealed."""
    return watched_both


def names(events):
    return [event.name for event in events]


@pytest.fixture
def visitor(browser, events):
    """Return a browser that has a session; ``events`` begin after that."""
    browser.put(a=1)
    events.clear()
    return browser


def test_a_session_is_created(browser, events, watched):
    """A first write is an event that names the session by its handle."""
    browser.put(a=1)
    handle = record_of(watched, browser.cookie).handle
    assert events == [Event("created", handle)]


def test_nothing_is_told_of_nothing(app, events):
    """Untouched pages and anonymous reads are no events."""
    browser = Browser(app)
    browser.visit()
    browser.contents()
    browser.clear()
    assert events == []


def test_a_session_is_loaded(visitor, events, watched):
    """A look is an event, one for a request."""
    visitor.visit(lambda: (dict(session), session.get("a")))
    assert events == [Event("loaded", record_of(watched, visitor.cookie).handle)]


def test_sessions_are_merged(visitor, events, watched):
    """A save onto another's is an event of the request that came later."""
    twin = visitor.twin()
    watched.meanwhile["save"] = lambda: twin.put(b=1)
    visitor.put(c=1)
    assert names(events) == ["loaded", "loaded", "merged"]


def test_a_conflict_names_its_place(visitor, events, watched):
    """Where two requests change one value, the later one's stays, and an event says where."""
    visitor.put(cart={"items": {"apple": 1}})
    twin = visitor.twin()

    def buy(count):
        session["cart"]["items"]["apple"] = count

    events.clear()
    watched.meanwhile["save"] = lambda: twin.visit(lambda: buy(2))
    visitor.visit(lambda: buy(3))
    handle = record_of(watched, visitor.cookie).handle
    assert events[-2:] == [
        Event("merged", handle),
        Event("conflict", handle, key="cart.items.apple"),
    ]
    assert visitor.get("cart") == {"items": {"apple": 3}}


@pytest.mark.parametrize(
    ("use", "why"),
    [
        (lambda: session.regenerate(), "asked for"),
        (lambda: session.update(user_id="ada"), "another user"),
        (lambda: (session.clear(), session.update(b=1)), "cleared"),
        (lambda: (setattr(session, "permanent", True), session["a"]), "renewed"),
    ],
)
def test_a_session_is_regenerated(visitor, events, use, why):
    """A new token is an event that says why there is one."""
    visitor.visit(use)
    assert names(events) == ["loaded", "regenerated"]
    assert events[1].why == why
    assert events[0].handle == events[1].handle


def test_a_session_is_ended(visitor, events, watched):
    """A logout is an event, one, however often it is repeated."""
    handle = record_of(watched, visitor.cookie).handle
    twin = visitor.twin()
    visitor.clear()
    twin.clear()
    assert events == [Event("ended", handle)]


def test_a_write_is_dropped(visitor, events, watched):
    """What a request wrote whose session was ended meanwhile is dropped, and that is an event."""
    handle = record_of(watched, visitor.cookie).handle
    twin = visitor.twin()
    watched.meanwhile["save"] = lambda: twin.clear()
    visitor.put(b=1)
    assert events == [
        Event("loaded", handle),
        Event("ended", handle),
        Event("dropped", handle, "late"),
    ]


def test_a_token_is_refused(app, visitor, events, now):
    """A token that opens nothing is an event that says what it was."""
    old = visitor.twin()
    handle = visitor.visit(lambda: session.handle).result
    events.clear()
    Browser(app, "A" * 64).contents()
    assert names(events) == ["refused"]
    assert events[0].why == "unknown"
    visitor.clear()
    events.clear()
    old.contents()
    assert events == [Event("refused", handle, "late")]


def test_the_store_is_away(visitor, events, watched):
    """An outage is an event, one for a request, with the store's reason."""
    handle = record_of(watched, visitor.cookie).handle
    watched.switch(off=True)
    visitor.visit(lambda: session.get("a"))
    assert events == [Event("store_unavailable", handle, AWAY.reason)]
    events.clear()
    visitor.clear()
    assert events == [Event("store_unavailable", handle, AWAY.reason)]
    events.clear()
    visitor.cookie = None
    visitor.visit(lambda: session.update(a=1))
    assert names(events) == ["store_unavailable"]


def live(browser, watched, now):
    """Have everything happen that is told of."""
    browser.put(a=1, shared=0)
    twin = browser.twin()
    watched.meanwhile["save"] = lambda: twin.put(b=1, shared=1)
    browser.put(c=1, shared=2)
    browser.visit(lambda: session.regenerate())
    twin = browser.twin()
    watched.meanwhile["save"] = lambda: twin.clear()
    browser.put(d=1)
    browser.contents()
    watched.switch(off=True)
    browser.visit(lambda: session.get("a"))
    watched.switch(off=False)
    browser.cookie = None
    browser.put(a=1)
    stolen = browser.twin()
    browser.visit(lambda: session.regenerate())
    now.time += 11
    stolen.contents()


def test_all_events_happen(browser, events, watched, now):
    """Each of the ten events happens, and each is a frozen value."""
    live(browser, watched, now)
    assert set(names(events)) == NAMES
    assert len(NAMES) == 10
    with pytest.raises(AttributeError):
        events[0].name = "ended"


def test_events_hold_handles_alone(browser, events, watched, now):
    """No event holds a token, a digest or anything that a session contains."""
    cookies = []
    events_of = browser.app.session_interface.listeners[0]
    browser.app.session_interface.listeners = (
        events_of,
        lambda event: cookies.append(browser.cookie),
    )
    browser.put(secret="hunter2")
    live(browser, watched, now)
    text = repr(events)
    assert "hunter2" not in text
    for cookie in filter(None, {*cookies, browser.cookie}):
        for part in parts_of(cookie):
            assert part not in text
    for event in events:
        assert event.handle == "" or (len(event.handle) == 16 and int(event.handle, 16) >= 0)


def test_several_listeners(watched):
    """All listeners are called, in their order."""
    heard = []
    app = make_app()
    Holdfast(
        app,
        store=watched,
        listeners=(lambda event: heard.append(1), lambda event: heard.append(2)),
    )
    Browser(app).put(a=1)
    assert heard == [1, 2]


def test_no_listeners(watched, caplog):
    """With none, nothing is told, and all else is the same."""
    caplog.set_level(logging.DEBUG)
    app = make_app()
    Holdfast(app, store=watched, listeners=())
    browser = Browser(app)
    browser.put(a=1)
    assert browser.get("a") == 1
    assert not [record for record in caplog.records if record.name.startswith("holdfast")]


def test_what_a_listener_raises(app, browser):
    """What a listener raises reaches the application."""
    failures = []
    app.log_exception = lambda info: failures.append(info[1])

    def listener(event):
        msg = f"about {event.name}"
        raise ValueError(msg)

    app.session_interface.listeners = (listener,)
    assert browser.visit(lambda: session.update(a=1)).status_code == 500
    assert str(failures[0]) == "about created"


LEVELS = {
    "loaded": "DEBUG",
    "merged": "DEBUG",
    "refused": "INFO",
    "created": "INFO",
    "regenerated": "INFO",
    "ended": "INFO",
    "conflict": "INFO",
    "dropped": "WARNING",
    "token_reused": "WARNING",
    "store_unavailable": "ERROR",
}


@pytest.fixture
def logging_browser(watched):
    """Return a browser of an application whose events are logged, as they are by default."""
    app = make_app()
    Holdfast(app, store=watched)
    return Browser(app)


def test_the_log(logging_browser, watched, now, caplog):
    """By default events go to the log holdfast.sessions, each at the level that fits it."""
    caplog.set_level(logging.DEBUG, "holdfast.sessions")
    live(logging_browser, watched, now)
    told = {
        record.getMessage().split(": ")[1].split(" ")[0]: record.levelname
        for record in caplog.records
        if record.name == "holdfast.sessions"
    }
    assert told == LEVELS
    assert LEVELS.keys() == NAMES


def test_the_log_holds_no_contents(logging_browser, watched, now, caplog):
    """The log names sessions by their handles, and tells neither contents nor keys."""
    caplog.set_level(logging.DEBUG, "holdfast.sessions")
    browser = logging_browser
    browser.put(password="hunter2", shared=0)
    live(browser, watched, now)
    assert "hunter2" not in caplog.text
    assert "password" not in caplog.text
    assert "shared" not in caplog.text


def test_the_log_of_production(logging_browser, watched, caplog):
    """Where only warnings are logged, reading and writing tell nothing."""
    caplog.set_level(logging.WARNING, "holdfast.sessions")
    browser = logging_browser
    browser.put(a=1)
    browser.get("a")
    browser.visit(lambda: session.regenerate())
    browser.clear()
    assert not caplog.records
