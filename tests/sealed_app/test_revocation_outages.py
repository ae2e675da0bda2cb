"""What an application answers while the store of ended sessions is away."""

# ruff: noqa: PLW0108 - `session` has its methods inside of a request alone

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sealed_sites import sealed_site
from visits import (
    AWAY,
    Browser,
    cookies_set,
    is_unavailable,
    says_nothing_of_cookies,
    signed_cookie,
)

from holdfast import OnOutage, Policy, StoreUnavailable
from holdfast.flask import end_all, end_others, end_user, session

STALE = 2
SERVES = 60
ON = Policy(on_outage=OnOutage.EMPTY)
LAST_KNOWN = Policy(revocation_stale_if_error=timedelta(seconds=SERVES))


@pytest.fixture
def known(watched, now, events):
    """Return a function that makes a browser with a session whose store is away from now on."""

    def make(policy=None, **how):
        app = sealed_site(policy, revocations=watched, listeners=[events.append], **how)
        browser = Browser(app)
        browser.log_in("ada", "password")
        browser.put(a=1)
        assert browser.get("a") == 1
        watched.taken()
        events.clear()
        watched.switch(off=True)
        return browser

    return make


def test_pages_without_a_session_do_not_notice(known, now, watched):
    """Who does not use a session, or has none, is answered as ever."""
    browser = known()
    now.time += 100
    assert browser.visit(body="page").text == "page"
    stranger = Browser(browser.app, "nonsense")
    assert stranger.contents() == {}
    assert stranger.put(a=1).status_code == 200
    assert stranger.cookie != "nonsense", "an anonymous session begins"
    assert set(watched.taken()) <= {"load"}


def test_within_the_bound_nobody_notices(known, now):
    """For two seconds after it was asked last, the store is not missed."""
    browser = known()
    now.time += STALE - 1
    assert browser.get("a") == 1
    browser.put(b=2)
    assert browser.contents() == {"_user_id": "ada", "a": 1, "b": 2}


def test_afterwards_pages_fail(known, now, watched, events):
    """Then looking at a session is 503 with Retry-After; the cookie stays, and it comes back."""
    browser = known()
    before = browser.cookie
    now.time += STALE
    for use in (lambda: session.get("a"), lambda: session.update(b=1)):
        assert is_unavailable(browser.visit(use, body="page"))
    assert "store_unavailable" in [event.name for event in events]
    assert browser.cookie == before
    watched.switch(off=False)
    assert browser.get("a") == 1


def test_a_view_can_catch_it(known, now):
    """A view may catch the error and go on without a session."""
    browser = known()
    now.time += STALE

    def page():
        with pytest.raises(StoreUnavailable) as raised:
            session.get("a")
        return raised.value.reason

    assert browser.visit(page).result == AWAY.reason


def test_a_page_may_go_on(known, now, watched):
    """With OnOutage.EMPTY pages see an empty session, and why; what they write is dropped."""
    browser = known(ON)
    before = browser.cookie
    now.time += STALE
    response = browser.visit(lambda: (dict(session), session.user_id, session.outage))
    assert response.result == ({}, None, AWAY)
    assert says_nothing_of_cookies(response)
    assert says_nothing_of_cookies(browser.visit(lambda: session.update(b=2)))
    assert browser.cookie == before
    watched.switch(off=False)
    assert browser.contents() == {"_user_id": "ada", "a": 1}
    assert browser.visit(lambda: session.outage).result is None


@pytest.mark.parametrize("policy", [None, ON, LAST_KNOWN], ids=["fail", "empty", "last known"])
@pytest.mark.parametrize(
    "ask",
    [
        lambda: session.log_out(),
        lambda: session.clear(),
        lambda: session.log_in("eve"),
        lambda: session.log_in("ada"),
        lambda: session.regenerate(),
    ],
    ids=["log_out", "clear", "another user", "again", "regenerate"],
)
def test_what_must_not_be_lost_fails(known, now, watched, policy, ask):
    """Logging in or out is never pretended: it fails, and the cookie is good afterwards."""
    browser = known(policy)
    before = browser.cookie
    now.time += STALE
    response = browser.visit(ask, body="welcome")
    assert is_unavailable(response)
    assert "welcome" not in response.text
    assert browser.cookie == before
    watched.switch(off=False)
    assert browser.user() == "ada"


@pytest.mark.parametrize("policy", [None, ON, LAST_KNOWN], ids=["fail", "empty", "last known"])
@pytest.mark.parametrize(
    "ask",
    [lambda: end_user("ada"), lambda: end_others(), lambda: end_all()],
    ids=["end_user", "end_others", "end_all"],
)
def test_ending_others_fails(known, watched, policy, ask):
    """So does ending sessions elsewhere, within the bound too."""
    browser = known(policy)
    assert is_unavailable(browser.visit(ask, body="done"))
    watched.switch(off=False)
    assert browser.user() == "ada"


def test_a_logout_within_the_bound_fails_too(known, watched):
    """A logout needs the store at any time: a copy of the cookie would go on to be good."""
    browser = known()
    copy = browser.twin()
    assert is_unavailable(browser.visit(lambda: session.log_out()))
    watched.switch(off=False)
    assert copy.user() == "ada"
    (cookie,) = cookies_set(browser.visit(lambda: session.log_out()))
    assert cookie.value == ""
    assert copy.user() is None


def test_an_answer_that_is_lost(watched, now):
    """A logout whose answer is lost is none to the browser, and a second one works."""
    browser = Browser(sealed_site(revocations=watched))
    browser.log_in("ada")
    copy = browser.twin()
    watched.loses = lambda name: AWAY if name == "create" else None
    assert is_unavailable(browser.visit(lambda: session.log_out()))
    watched.loses = lambda name: None
    assert browser.visit(lambda: session.log_out()).status_code == 200
    now.time += STALE
    assert copy.user() is None
    assert browser.user() is None


@pytest.mark.parametrize("then", [OnOutage.FAIL, OnOutage.EMPTY])
def test_the_last_known_state_serves(known, now, watched, then):
    """revocation_stale_if_error has pages go on from what was known for its time, and no longer."""
    policy = Policy(revocation_stale_if_error=timedelta(seconds=SERVES), on_outage=then)
    browser = known(policy)
    began = now.time
    for later in (0, 1, STALE, 30, SERVES - 1):
        now.time = began + later
        assert browser.get("a") == 1, later
        browser.put(b=later)
    now.time = began + SERVES
    response = browser.visit(lambda: (dict(session), session.outage))
    if then is OnOutage.FAIL:
        assert is_unavailable(response)
    else:
        assert response.result == ({}, AWAY)
    watched.switch(off=False)
    assert browser.contents() == {"_user_id": "ada", "a": 1, "b": SERVES - 1}


def test_what_was_known_to_be_over_stays_over(watched, now):
    """While the last known state serves, a session that was known to be ended is."""
    app = sealed_site(LAST_KNOWN, revocations=watched)
    browser = Browser(app)
    browser.log_in("ada")
    copy = browser.twin()
    browser.visit(lambda: session.log_out())
    watched.switch(off=True)
    for later in (0, STALE, 30):
        now.time += later
        assert copy.user() is None


def test_a_session_of_which_nothing_is_known(watched, now):
    """While the store is away, a process that never asked for a session can't tell, and fails."""
    here, there = (sealed_site(LAST_KNOWN, revocations=watched) for _ in range(2))
    browser = Browser(here)
    browser.log_in("ada")
    watched.switch(off=True)
    assert is_unavailable(Browser(there, browser.cookie).visit(lambda: session.user_id))


def test_a_failed_login_takes_nothing_from_others(known, now):
    """A login that fails while the last known state serves leaves that to the user's sessions."""
    browser = known(LAST_KNOWN)
    now.time += STALE
    stranger = Browser(browser.app)
    assert is_unavailable(stranger.visit(lambda: session.log_in("ada")))
    assert is_unavailable(browser.twin().visit(lambda: session.log_in("ada")))
    assert browser.user() == "ada"


def test_the_end_reaches_a_process_that_was_cut_off(watched, now):
    """What was ended while a process could not ask is over there as soon as it can."""
    here, there = (sealed_site(LAST_KNOWN, revocations=watched) for _ in range(2))
    browser = Browser(here)
    browser.log_in("ada")
    thief = Browser(there, browser.cookie)
    assert thief.user() == "ada"
    browser.visit(lambda: end_user("ada"))
    watched.switch(off=True)
    now.time += SERVES - 1
    assert thief.user() == "ada", "as the policy says"
    watched.switch(off=False)
    now.time += 2  # for so long nobody asks again after an outage
    assert thief.user() is None


def test_a_signed_cookie_during_an_outage(watched, now):
    """A signed cookie is not migrated while nobody can tell whether it was ended."""
    soon = datetime.now(UTC) + timedelta(days=30)
    app = sealed_site(revocations=watched, migrate_until=soon)
    browser = Browser(app, signed_cookie({"user_id": "ada"}))
    watched.switch(off=True)
    assert is_unavailable(browser.visit(lambda: session.user_id))
    watched.switch(off=False)
    assert browser.user() == "ada"
