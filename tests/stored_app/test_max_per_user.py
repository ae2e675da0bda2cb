"""How many sessions a user may have at once, and which one goes when there is one more."""

# ruff: noqa: PLW0108 - `session` has its methods inside of a request alone

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from itsdangerous import TimestampSigner
from visits import AWAY, SECRET, Browser, Watched, at_once, make_app, make_site, signed_cookie

from holdfast import BeyondMax, Policy
from holdfast.flask import Holdfast, session, sessions_of

CROWD = 20


def limited(store, limit, beyond=BeyondMax.END_OLDEST, **how):
    """Return an application in which a user has no more sessions than ``limit``."""
    return make_site(store, Policy(max_per_user=limit, beyond_max=beyond), **how)


def logged_in(app, user_id, count, now=None):
    """Return browsers in which a user logged in, one after the other, a second apart."""
    browsers = [Browser(app) for _ in range(count)]
    for browser in browsers:
        browser.log_in(user_id)
        if now is not None:
            now.time += 1
    return browsers


def live(browsers, user_id):
    """Return the numbers of the browsers in which a user is logged in."""
    return [number for number, browser in enumerate(browsers) if browser.user() == user_id]


def listed(app, user_id):
    """Return the handles of a user's sessions."""
    found = Browser(app).visit(lambda: sessions_of(user_id)).result
    return sorted(each.handle for each in found)


# At once, in real time


@pytest.mark.parametrize("beyond", BeyondMax)
@pytest.mark.parametrize("limit", [1, 5])
def test_twenty_logins_at_once(store, ada, beyond, limit):
    """Of 20 simultaneous logins exactly so many live when all have been answered, on each store.

    Half of them come with a session, the others with none.
    """
    app = limited(store, limit, beyond)
    browsers = [Browser(app) for _ in range(CROWD)]
    for browser in browsers[::2]:
        browser.put(cart=1)
    responses = at_once(*(partial(browser.log_in, ada) for browser in browsers))
    assert all("Set-Cookie" in response.headers for response in responses)
    alive = live(browsers, ada)
    assert len(alive) == limit
    handles = sorted(browsers[number].visit(lambda: session.handle).result for number in alive)
    assert handles == listed(app, ada)


def test_logins_of_several_users_at_once(store, ada):
    """Each user's sessions are counted apart."""
    app = limited(store, 2)
    users = [f"{ada} {number % 4}" for number in range(CROWD)]
    browsers = [Browser(app) for _ in users]
    at_once(*(partial(browser.log_in, user) for browser, user in zip(browsers, users, strict=True)))
    for user in set(users):
        assert len(live(browsers, user)) == len(listed(app, user)) == 2


def test_logins_and_logouts_at_once(store, ada):
    """Who logs out meanwhile is out, and no more remain than may."""
    app = limited(store, 3)
    there = logged_in(app, ada, 3)
    coming = [Browser(app) for _ in range(6)]
    at_once(*(browser.clear for browser in there), *(partial(each.log_in, ada) for each in coming))
    assert live(there, ada) == []
    # A login may have counted who was about to leave.
    assert 1 <= len(live(coming, ada)) == len(listed(app, ada)) <= 3


# One after the other, by a clock that stands


def test_the_oldest_ends(store, ada, now, events):
    """With END_OLDEST the one ends that began first, however active; an event says why."""
    app = limited(store, 3, listeners=[events.append])
    browsers = logged_in(app, ada, 3, now)
    now.time += 100
    oldest = browsers[0].visit(lambda: session.handle).result
    events.clear()
    browsers += logged_in(app, ada, 1)
    assert [(each.handle, each.why) for each in events if each.name == "ended"] == [
        (oldest, "max_per_user")
    ]
    assert live(browsers, ada) == [1, 2, 3]


def test_the_least_active_ends(store, ada, now):
    """With END_LEAST_ACTIVE the one ends that was active least recently."""
    app = limited(store, 3, BeyondMax.END_LEAST_ACTIVE)
    browsers = logged_in(app, ada, 3, now)
    for number in (1, 2, 0):
        now.time += 100
        assert browsers[number].user() == ada
    now.time += 1
    browsers += logged_in(app, ada, 1)
    assert live(browsers, ada) == [0, 2, 3]


@pytest.mark.parametrize("beyond", BeyondMax)
def test_within_one_second(store, ada, now, beyond):
    """Among logins of one second an older one goes first, and the newcomer never."""
    app = limited(store, 3, beyond)
    browsers = logged_in(app, ada, 1, now)
    browsers += logged_in(app, ada, 2)
    for newcomer in range(3, 9):
        browsers += logged_in(app, ada, 1)
        alive = live(browsers, ada)
        assert len(alive) == 3
        assert 0 not in alive
        assert newcomer in alive


def test_one_alone(store, ada, now):
    """With one session per user each login ends the session before."""
    app = limited(store, 1)
    browsers = []
    for number in range(4):
        browsers += logged_in(app, ada, 1)
        now.time += number % 2
        assert live(browsers, ada) == [number]


def test_what_does_not_count(store, ada, now):
    """Other users' sessions, nobody's, and what has ended or is over do not count."""
    app = make_site(store, Policy(max_per_user=2, idle=timedelta(hours=1)))
    others = [*logged_in(app, f"another {ada}", 2), Browser(app)]
    others[-1].put(user="nobody")
    over, out = logged_in(app, ada, 2)
    now.time += 3000
    out.visit(lambda: session.log_out())
    for each in others:
        each.contents()
    now.time += 600
    browsers = logged_in(app, ada, 2)
    assert live(browsers, ada) == [0, 1]
    assert over.user() is None
    assert [each.user() for each in others] == [f"another {ada}"] * 2 + [None]
    assert others[-1].contents() == {"user": "nobody"}


def test_what_is_over_takes_no_place(store, ada, now):
    """A session that is over ends nobody else's, although it began later."""
    app = make_site(store, Policy(max_per_user=2, idle=timedelta(hours=1)))
    browsers = logged_in(app, ada, 2, now)
    now.time += 3000
    assert browsers[0].user() == ada
    now.time += 600
    browsers += logged_in(app, ada, 1)
    assert live(browsers, ada) == [0, 2]


def test_the_same_session_counts_once(store, ada, now):
    """To log in again, to authenticate again, a new token: all that makes no session more."""
    app = limited(store, 2)
    browsers = logged_in(app, ada, 2, now)
    for use in (
        lambda: session.log_in(ada),
        lambda: session.reauthenticated(),
        lambda: session.regenerate(),
        lambda: session.update(a=1),
    ):
        browsers[1].visit(use)
        now.time += 1
    assert live(browsers, ada) == [0, 1]


LOGINS = {
    "an assignment": lambda user: session.update(user_id=user),
    "Flask-Login's keys": lambda user: session.update(_user_id=user, _fresh=True),
    "a remembered user": lambda user: session.update(_user_id=user, _fresh=False),
    "a new session": lambda user: (session.clear(), session.log_in(user)),
}


@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize("first", [None, "nobody's", "another's"])
def test_however_a_user_comes(store, ada, now, login, first):
    """The limit holds however a user comes: by assignment, by Flask-Login, in place of another."""
    app = limited(store, 2)
    browsers = logged_in(app, ada, 2, now)
    browser = Browser(app)
    if first == "nobody's":
        browser.put(a=1)
    elif first == "another's":
        browser.visit(lambda: LOGINS[login](f"another {ada}"))
    assert browser.visit(lambda: LOGINS[login](ada)).status_code == 200
    assert live([*browsers, browser], ada) == [1, 2]


def test_signed_cookies_that_become_sessions(store, ada, now, monkeypatch):
    """Each signed cookie that becomes a stored session counts too, as old as its signature."""
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _: now.time)
    app = make_app(SECRET_KEY=SECRET)
    soon = datetime.now(UTC) + timedelta(days=30)
    policy = Policy(max_per_user=2)
    Holdfast(app, store=store, policy=policy, migrate_until=soon, listeners=())
    browsers = []
    for number in range(4):
        now.time += 1
        browsers.append(Browser(app, signed_cookie({"user_id": ada, "number": number})))
    for browser in browsers:
        assert browser.user() == ada
    assert live(browsers, ada) == [2, 3]


def test_what_is_ended_can_log_in_again(store, ada, now):
    """Whose session was ended by the limit can log in again at once, which ends another."""
    app = limited(store, 1)
    first, second = logged_in(app, ada, 2, now)
    assert first.user() is None
    first.log_in(ada)
    assert live([first, second], ada) == [0]


def test_a_write_of_who_is_ended(store, ada):
    """What the session writes that a login is just ending revives nothing."""
    watched = Watched(store)
    app = limited(watched, 1)
    browser, newcomer = Browser(app), Browser(app)
    browser.log_in(ada)
    watched.meanwhile["save"] = lambda: newcomer.log_in(ada)
    browser.visit(lambda: session.update(late=1))
    assert live([browser, newcomer], ada) == [1]
    assert len(listed(app, ada)) == 1


def test_without_a_limit(watched, now):
    """Without max_per_user nothing is asked of the store for it."""
    app = make_site(watched, Policy.secure())
    browsers = logged_in(app, "ada", 5, now)
    assert "cap" not in watched.taken()
    assert live(browsers, "ada") == [0, 1, 2, 3, 4]


def test_a_limit_that_is_introduced(watched, now):
    """Sessions from before the limit are ended by the next login."""
    browsers = logged_in(make_site(watched), "ada", 6, now)
    app = limited(watched, 2)
    browsers += logged_in(app, "ada", 1)
    assert live(browsers, "ada") == [5, 6]


@pytest.mark.parametrize("how", ["fails", "loses"])
def test_an_outage_meanwhile(watched, now, events, how):
    """If the store fails while it counts, who logged in is in; the next login makes up for it."""
    app = limited(watched, 2, listeners=[events.append])
    browsers = logged_in(app, "ada", 2, now)
    setattr(watched, how, lambda name: AWAY if name == "cap" else None)
    browsers += logged_in(app, "ada", 1, now)
    assert [each.why for each in events if each.name == "store_unavailable"] == [AWAY.reason]
    setattr(watched, how, lambda name: None)
    browsers += logged_in(app, "ada", 1, now)
    assert live(browsers, "ada") == [2, 3]
