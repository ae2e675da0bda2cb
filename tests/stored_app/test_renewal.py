"""New tokens from time to time: in several tabs, over bad connections, and what thieves get."""

# ruff: noqa: PLW0108 - `session` has its methods inside of a request alone

from __future__ import annotations

import threading
from datetime import timedelta
from functools import partial

import pytest
from visits import AWAY, Browser, Watched, at_once, make_site, record_of, says_nothing_of_cookies

from holdfast import Event, Policy
from holdfast.flask import session, sessions_of

HOUR = 3600
GRACE = 30
RENEWING = Policy(renew_every=timedelta(hours=1), grace=timedelta(seconds=GRACE))


@pytest.fixture
def watched(store):
    return Watched(store)


@pytest.fixture
def app(watched, events):
    """Return an application that renews its tokens each hour, on each store."""
    return make_site(watched, RENEWING, listeners=[events.append])


@pytest.fixture
def browser(app, ada, now):  # the clock stands still from here on
    """Return a browser in which a user is logged in."""
    browser = Browser(app)
    browser.log_in(ada)
    return browser


def is_renewed(response):
    return "Set-Cookie" in response.headers


def look(browser):
    return browser.visit(lambda: session.get("a"))


def test_when_it_is_due(browser, ada, now, events):
    """A token that is an hour old is replaced by whatever request looks at the session."""
    now.time += HOUR - 1
    assert not is_renewed(look(browser))
    old = browser.cookie
    now.time += 1
    assert not is_renewed(browser.visit())
    events.clear()
    assert is_renewed(look(browser))
    assert browser.cookie != old
    handle = browser.visit(lambda: session.handle).result
    assert events[:2] == [Event("loaded", handle), Event("regenerated", handle, "renewed")]
    now.time += HOUR - 1
    assert not is_renewed(look(browser))
    now.time += 1
    assert is_renewed(browser.put(a=1))
    assert browser.contents() == {"_user_id": ada, "a": 1}


def test_by_default_never(watched, now, ada):
    """Without renew_every a token lives as long as its session."""
    browser = Browser(make_site(watched))
    browser.log_in(ada)
    for _ in range(5):
        now.time += 30 * 86400
        assert not is_renewed(look(browser))


def test_it_is_the_same_session(browser, watched, now):
    """A renewal changes neither handle nor beginning, and what is kept is as before."""

    def facts():
        return session.handle, session.created, session.authenticated_at, dict(session)

    before = browser.visit(facts).result
    for _ in range(3):
        now.time += HOUR
        assert browser.visit(facts).result == before
    assert record_of(watched, browser.cookie).previous


def test_the_absolute_time_goes_on(store, ada, now):
    """Nor does it make a session live for longer than the absolute time."""
    policy = Policy(renew_every=timedelta(hours=1), absolute=timedelta(hours=5))
    browser = Browser(make_site(store, policy))
    browser.log_in(ada)
    for _ in range(4):
        now.time += HOUR
        assert browser.user() == ada
    now.time += HOUR
    assert browser.user() is None


# The token before


def test_grace(browser, ada, now):
    """The token before opens the session until the new one has been used, and `grace` longer."""
    before = browser.twin()
    token = before.cookie
    now.time += HOUR
    look(browser)
    now.time += GRACE
    assert before.user() == ada  # the new one may be under way
    look(browser)
    now.time += GRACE
    assert before.user() == ada
    assert before.cookie == token
    now.time += 1
    assert before.user() is None
    assert browser.user() == ada


def test_writing_in_grace(browser, now):
    """What is written with the token before is kept."""
    old = browser.twin()
    now.time += HOUR
    look(browser)
    look(browser)
    now.time += 5
    assert not is_renewed(old.put(a=1))
    assert browser.get("a") == 1


def test_logging_out_in_grace(browser, now):
    """A logout with the token before, or with one long dead, ends the session."""
    old = browser.twin()
    now.time += HOUR
    look(browser)
    look(browser)
    now.time += 10 * GRACE
    assert is_renewed(old.clear())
    assert browser.user() is None


@pytest.mark.parametrize(
    "change",
    [
        lambda: session.log_in("eve"),
        lambda: session.reauthenticated(),
        lambda: session.regenerate(),
        lambda: session.pop("_user_id"),
    ],
)
def test_grace_never_crosses_a_change(browser, now, change):
    """When another user comes, or authenticates, every older token is dead at once."""
    tabs = [browser.twin()]
    now.time += HOUR
    look(browser)
    tabs.append(browser.twin())
    browser.visit(change)
    for tab in tabs:
        assert tab.contents() == {}
    assert browser.visit(lambda: session.new).result is False


# Several tabs


def test_two_tabs(browser, watched, ada, now):
    """Of two tabs at once one gets a new token, and the token of the other is good meanwhile."""
    now.time += HOUR
    tabs = [browser.twin(), browser.twin()]
    watched.meanwhile["save"] = lambda: look(tabs[1])
    assert not is_renewed(look(tabs[0]))
    assert tabs[1].cookie != browser.cookie
    assert [tab.user() for tab in tabs] == [ada, ada]
    browser.cookie = tabs[1].cookie
    now.time += 10 * GRACE
    assert browser.user() == ada
    with browser.app.app_context():
        assert len(sessions_of(ada)) == 1


def test_many_tabs_in_threads(app, browser, ada, now):
    """Eight tabs that all have read before any writes: one token, and every write is kept."""
    now.time += HOUR
    tabs = [browser.twin() for _ in range(8)]
    read = threading.Barrier(len(tabs), timeout=30)

    def write(number):
        session.get("a")
        read.wait()
        session[f"tab {number}"] = number

    responses = at_once(
        *(partial(tab.visit, partial(write, number)) for number, tab in enumerate(tabs))
    )
    assert [response.status_code for response in responses] == [200] * 8
    assert sum(map(is_renewed, responses)) == 1
    (renewed,) = {tab.cookie for tab in tabs} - {browser.cookie}
    browser.cookie = renewed
    expected = {f"tab {number}": number for number in range(8)}
    assert browser.contents() == {"_user_id": ada, **expected}
    with app.app_context():
        assert len(sessions_of(ada)) == 1


def test_a_tab_that_sleeps(browser, ada, now):
    """A tab shares its cookie with the others, so it may sleep for as long as it likes."""
    for _ in range(30):
        now.time += HOUR
        assert browser.user() == ada


# Lost answers


def test_a_lost_answer(browser, ada, now):
    """Who never received the new token goes on with the old one, and gets another."""
    old = browser.cookie
    now.time += HOUR
    assert is_renewed(look(browser))
    browser.cookie = old
    now.time += 10 * HOUR
    assert browser.user() == ada
    assert browser.cookie != old
    assert browser.user() == ada


def test_one_answer_after_the_other_is_lost(browser, watched, ada, now):
    """However many are lost, nobody is logged out, and there is one session."""
    old = browser.cookie
    for _ in range(20):
        now.time += HOUR
        assert browser.user() == ada
        browser.cookie = old
    assert browser.user() == ada
    with browser.app.app_context():
        assert len(sessions_of(ada)) == 1


def test_answers_under_way_are_waited_for(browser, ada, now):
    """While the new token may be under way, the old one gets no other."""
    old = browser.cookie
    now.time += HOUR
    assert is_renewed(look(browser))
    new, browser.cookie = browser.cookie, old
    for _ in range(3):
        now.time += GRACE // 3
        assert not is_renewed(look(browser))
    now.time += 1
    assert is_renewed(look(browser))
    assert Browser(browser.app, new).user() is None  # what was lost is dead
    assert browser.user() == ada


def test_a_store_whose_answer_was_lost(browser, watched, ada, now):
    """So it is if the store's answer to the renewal was lost: the page does not fail for it."""
    now.time += HOUR
    watched.loses = lambda name: AWAY if name == "save" else None
    assert look(browser).status_code == 200
    watched.loses = lambda name: None
    assert browser.user() == ada
    now.time += HOUR
    assert browser.user() == ada


# Stolen tokens


def test_a_token_after_its_grace(browser, ada, now, events):
    """A token that is used after its time opens nothing, and that is an event; nothing ends."""
    thief = browser.twin()
    now.time += HOUR
    look(browser)
    look(browser)
    now.time += GRACE + 1
    handle = browser.visit(lambda: session.handle).result
    events.clear()
    response = thief.visit(lambda: dict(session))
    assert response.result == {}
    assert says_nothing_of_cookies(response)
    assert [(each.name, each.handle) for each in events] == [("token_reused", handle)]
    assert browser.user() == ada


def test_the_other_way_round(browser, ada, now, events):
    """If it is the thief whose token was renewed, the event is the owner's next visit."""
    thief = browser.twin()
    now.time += HOUR
    look(thief)
    look(thief)
    now.time += GRACE + 1
    events.clear()
    assert browser.user() is None
    assert [each.name for each in events] == ["token_reused"]
    assert thief.user() == ada  # ended by a look at the devices, or by the absolute time


def test_what_is_no_reuse(app, browser, now, events):
    """A late request, an ended session, an unknown token: refused, and nobody's alarm."""
    late = browser.twin()
    browser.visit(lambda: session.regenerate())
    now.time += 10
    late.contents()  # as late as a request may be
    now.time += 51
    browser.clear()
    late.contents()
    now.time += 11
    late.contents()
    Browser(app, "A" * 64).contents()
    assert "token_reused" not in {each.name for each in events}
    assert [each.why for each in events if each.name == "refused"] == [
        "late",
        "late",
        "unknown",
        "unknown",
    ]


def test_a_dead_token_writes_nothing(browser, ada, now, events):
    """What is written with a reused token begins a session of its own, and is nobody's."""
    thief = browser.twin()
    now.time += HOUR
    look(browser)
    look(browser)
    now.time += GRACE + 1
    assert is_renewed(thief.put(cart="thief's"))
    assert thief.contents() == {"cart": "thief's"}
    assert browser.contents() == {"_user_id": ada}
