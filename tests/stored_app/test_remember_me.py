"""How long one session lasts: remembered ones, short ones, and pages that are no activity."""

# ruff: noqa: PLW0108 - `session` has its methods inside of a request alone

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from visits import (
    SECRET,
    Browser,
    cookies_set,
    make_app,
    make_site,
    record_of,
    says_nothing_of_cookies,
)
from werkzeug.http import parse_date

from holdfast import ConfigurationError, CookiePolicy, Policy
from holdfast.flask import Holdfast, session

HOUR = timedelta(hours=1)
DAY = 86400


@pytest.fixture
def watched(watched_both):
    """Return a store in memory, in one turn to be sealed."""
    return watched_both


def remember(browser, user_id, **how):
    """Log in with these attributes of the session set; return the response."""

    def log_in():
        for name, value in how.items():
            setattr(session, name, value)
        session.log_in(user_id, methods=["password"])

    response = browser.visit(log_in)
    assert response.status_code == 200, response.text
    return response


def expiry_of(response, name="session"):
    """Return for how many days a response's cookie lasts; None for the end of the browser."""
    (cookie,) = cookies_set(response, name)
    expires = cookie.attributes.get("expires")
    if expires is None:
        return None
    return math.ceil((parse_date(expires) - datetime.now(UTC)) / timedelta(days=1))


# The cookie


PERSISTENCE = [
    # What the policy states, whether the session is permanent, and whether its cookie has Expires.
    (None, False, False),
    (None, True, True),
    (True, False, True),
    (True, True, True),
    (False, False, False),
    (False, True, False),
]


@pytest.mark.parametrize(("stated", "permanent", "expires"), PERSISTENCE)
def test_whether_the_cookie_outlives_the_browser(watched, stated, permanent, expires):
    """Either the policy says so, or session.permanent."""
    app = make_site(
        watched, Policy(absolute=60 * timedelta(1), cookie=CookiePolicy(persistent=stated))
    )
    response = remember(Browser(app), "ada", permanent=permanent)
    assert expiry_of(response) == (60 if expires else None)


@pytest.mark.parametrize("stated", [True, False])
def test_a_signed_cookie_says_itself(stated):
    """A session in a signed cookie holds whether it is permanent, and no policy says otherwise."""
    app = make_app(SECRET_KEY=SECRET)
    with pytest.raises(ConfigurationError, match=r"cookie\.persistent"):
        Holdfast(app, policy=Policy(cookie=CookiePolicy(persistent=stated)))


def test_persistence_alone_hides_no_cookie(watched):
    """A policy that states persistence alone leaves all else to the configuration."""
    app = make_site(
        watched, Policy(cookie=CookiePolicy(persistent=True)), SESSION_COOKIE_HTTPONLY=False
    )
    (cookie,) = cookies_set(Browser(app).put(a=1))
    assert cookie.attributes.keys() == {"path", "expires"}


def test_the_longest_cookie(watched):
    """Without an absolute lifetime a permanent cookie lasts 400 days, the most there is."""
    assert expiry_of(remember(Browser(make_site(watched)), "ada", permanent=True)) == 400


def test_changing_permanence(watched):
    """Turning it on or off later sends the cookie again, with a new token."""
    browser = Browser(make_site(watched))
    assert expiry_of(remember(browser, "ada", permanent=True)) == 400
    for permanent, days in ((False, None), (True, 400)):
        before = browser.cookie

        def turn(permanent=permanent):
            session.permanent = permanent
            return session.user_id

        response = browser.visit(turn)
        assert expiry_of(response) == days
        assert browser.cookie != before
        assert browser.visit(lambda: session.permanent).result is permanent


# The record


def test_remember_me(store, ada, now):
    """A session may have an idle time of its own, longer or shorter, on each store."""
    app = make_site(store, Policy(idle=HOUR, absolute=timedelta(days=30)))
    remembered, usual, kiosk = (Browser(app) for _ in range(3))
    remember(remembered, ada, permanent=True, lifetime=timedelta(days=7))
    remember(usual, ada)
    remember(kiosk, ada, lifetime=timedelta(minutes=2))
    assert remembered.visit(lambda: session.lifetime).result == timedelta(days=7)
    assert usual.visit(lambda: session.lifetime).result is None
    now.time += 119
    assert kiosk.user() == ada
    now.time += 120
    assert [each.user() for each in (remembered, usual, kiosk)] == [ada, ada, None]
    now.time += 3600
    assert [each.user() for each in (remembered, usual)] == [ada, None]
    for _ in range(4):
        now.time += 7 * DAY - 1
        assert remembered.user() == ada
    now.time += 3 * DAY
    assert remembered.user() is None  # 30 days are over


def test_the_records_end(watched, now):
    """The store may remove it when its own idle time is over, and at the absolute end at last."""
    app = make_site(watched, Policy(idle=HOUR, absolute=timedelta(days=3)))
    browser = Browser(app)
    remember(browser, "ada", lifetime=timedelta(days=2))
    assert record_of(watched, browser.cookie).expires == now.time + 2 * DAY
    now.time += int(1.5 * DAY)
    browser.user()
    assert record_of(watched, browser.cookie).expires == now.time + int(1.5 * DAY)


def test_changing_the_lifetime(watched, now):
    """It can be changed later and given back to the policy; that sends no cookie."""
    browser = Browser(make_site(watched, Policy(idle=HOUR)))
    remember(browser, "ada")

    def give(lifetime):
        def page():
            session.lifetime = lifetime
            return session.user_id, session.lifetime

        response = browser.visit(page)
        assert says_nothing_of_cookies(response)
        assert response.result == ("ada", lifetime)

    give(timedelta(days=1))
    now.time += DAY - 1
    assert browser.user() == "ada"
    give(None)
    now.time += 3600
    assert browser.user() is None


@pytest.mark.parametrize("set_to", ["lifetime", "permanent", "is_activity"])
def test_setting_is_no_use(watched, set_to):
    """Setting it in a request that does not look at the session asks nothing of the store."""
    browser = Browser(make_site(watched))
    remember(browser, "ada")
    watched.taken()
    browser.visit(lambda: setattr(session, set_to, timedelta(1)))
    assert watched.taken() == []


@pytest.mark.parametrize("anonymous", [{"lifetime": HOUR}, {"permanent": True}])
def test_setting_begins_no_session(watched, anonymous):
    """Nor does it begin one for somebody who has none."""
    app = make_site(watched)

    def page():
        for name, value in anonymous.items():
            setattr(session, name, value)
        return dict(session)

    assert says_nothing_of_cookies(Browser(app).visit(page))
    assert watched.taken() == []


@pytest.mark.parametrize(
    "lifetime",
    [timedelta(), timedelta(seconds=0.5), timedelta(-1), timedelta(days=91), 3600, "1 h"],
)
def test_what_is_no_lifetime(watched, lifetime):
    """What is no time, or longer than the absolute lifetime, is refused; nothing is changed."""
    browser = Browser(make_site(watched, Policy.secure()))

    def page():
        with pytest.raises(ConfigurationError, match="lifetime must be"):
            session.lifetime = lifetime
        session["a"] = 1
        return session.lifetime

    assert browser.visit(page).result is None


def test_the_longest_lifetime(watched):
    """Without an absolute lifetime it is at most 400 days."""
    browser = Browser(make_site(watched))

    def page(days):
        session.lifetime = timedelta(days=days)

    assert browser.visit(lambda: page(400)).status_code == 200
    assert browser.visit(lambda: page(401)).status_code == 500


def test_another_user_has_not_the_lifetime(watched):
    """A lifetime belongs to the session of the user for whom it was set."""
    browser = Browser(make_site(watched))
    remember(browser, "ada", permanent=True, lifetime=HOUR)
    remember(browser, "eve")
    assert browser.visit(lambda: (session.lifetime, session.permanent)).result == (None, False)


# Polling


def poll(browser):
    """Visit a page that asks by itself."""

    def page():
        session.is_activity = False
        return session.user_id

    return browser.visit(page)


def test_polling_extends_nothing(store, ada, now):
    """A page that says that it is no activity never keeps a session alive, on each store."""
    browser = Browser(make_site(store, Policy(idle=HOUR)))
    remember(browser, ada)
    for _ in range(5):
        now.time += 600
        assert poll(browser).result == ada
    assert browser.user() == ada
    for _ in range(5):
        now.time += 600
        assert poll(browser).result == ada
    now.time += 600
    assert poll(browser).result is None
    assert browser.user() is None


def test_what_polling_asks(watched, now):
    """It loads the session, and asks nothing more."""
    browser = Browser(make_site(watched, Policy(idle=HOUR)))
    remember(browser, "ada")
    now.time += 600
    watched.taken()
    poll(browser)
    assert watched.taken() == ["load"]
    browser.user()
    assert watched.taken() == ["load", "touch"]


def test_writing_while_polling(watched, now):
    """What a polling page writes is stored, and is no activity either."""
    browser = Browser(make_site(watched, Policy(idle=HOUR)))
    remember(browser, "ada")
    seen = record_of(watched, browser.cookie).seen
    now.time += 600

    def page():
        session.is_activity = False
        session["news"] = 3

    browser.visit(page)
    assert record_of(watched, browser.cookie).seen == seen
    now.time += 2999
    assert browser.twin().get("news") == 3


def test_a_login_is_activity(watched, now):
    """Who logs in or authenticates again is active, whatever the page says of itself."""
    browser = Browser(make_site(watched, Policy(idle=HOUR)))
    browser.put(a=1)
    for use in (lambda: session.log_in("ada"), lambda: session.reauthenticated()):
        now.time += 3000

        def page(use=use):
            session.is_activity = False
            use()

        browser.visit(page)
        assert record_of(watched, browser.cookie).seen == now.time


def test_activity_is_of_the_request(browser):
    """It is True at the beginning of every request."""
    browser.put(a=1)
    poll(browser)
    assert browser.visit(lambda: session.is_activity).result is True


# Both times together


def test_activity_never_exceeds_the_absolute_lifetime(store, ada, now):
    """However active, a session is over so long after its user logged in; on each store."""
    browser = Browser(make_site(store, Policy(idle=HOUR, absolute=3 * HOUR)))
    browser.put(a=1)
    now.time += 1800
    remember(browser, ada)
    for _ in range(5):
        now.time += 2159
        assert browser.user() == ada
    now.time += 5
    assert browser.user() is None


def test_a_policy_that_becomes_shorter(watched, now):
    """A shorter policy holds at once, for the sessions that there are as well."""
    long = Browser(make_site(watched, Policy(idle=timedelta(days=7), absolute=timedelta(days=30))))
    remember(long, "ada")
    now.time += 2 * 3600
    policy = Policy(idle=timedelta(hours=2), absolute=timedelta(days=1))
    assert Browser(make_site(watched, policy), long.cookie).user() is None
    short = Browser(make_site(watched, replace(policy, idle=timedelta(hours=3))), long.cookie)
    for _ in range(10):
        assert short.user() == "ada"
        now.time += 2 * 3600
    now.time += 2 * 3600
    assert short.user() is None
