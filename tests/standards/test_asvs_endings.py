"""OWASP ASVS 5.0, 7.4.1 and 7.4.5, of sessions that live in cookies: what ended stays ended.

Whatever one that knows an ended session's cookie asks of whichever process, and however fast.
"""

# ruff: noqa: PLW0108 - `session` has its methods inside of a request alone

from __future__ import annotations

from datetime import timedelta

import pytest
from everywhere import Place
from visits import Browser, Watched, is_unavailable, says_nothing_of_cookies

from holdfast import ConfigurationError, OnIdle, Policy, manage
from holdfast.flask import end_all, end_others, end_user, session
from holdfast.stores.memory import MemoryStore

ENDINGS = {
    "log_out()": lambda browser, _: browser.visit(lambda: session.log_out()),
    "end_user()": lambda browser, user: browser.visit(lambda: end_user(user)),
    "end_all()": lambda browser, _: browser.visit(lambda: end_all()),
    "end_others()": lambda browser, user: others(browser, user),
    "log_in()": lambda browser, user: browser.log_in(user),
}
ATTEMPTS = {
    "regenerate()": lambda: session.regenerate(),
    "reauthenticated()": lambda: session.reauthenticated(),
    "a user": lambda: session.update(_user_id="mallory", _fresh=False),
    "nobody": lambda: session.pop("_user_id", None),
    "end_others()": lambda: end_others(),
    "a key": lambda: session.update(a=1),
    "permanent": lambda: (setattr(session, "permanent", True), session.get("a")),
    "clear() and a key": lambda: (session.clear(), session.update(a=1)),
}


@pytest.fixture
def ended():
    """Return a store of what was ended."""
    return MemoryStore(purge_every=None)


@pytest.fixture
def place(ended):
    return Place(ended, seal=True, in_cookies=True)


def others(browser, user):
    elsewhere = Browser(browser.app)
    elsewhere.log_in(user)
    elsewhere.visit(lambda: end_others())


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_asvs_7_4_1_no_way_back(place, ada, now, ending, attempt):
    """Nothing that a copy does where nobody knows yet of the end makes it outlast the bound."""
    one, other = place.site(), place.site()
    browser = Browser(one)
    browser.log_in(ada)
    thief = Browser(other, browser.cookie)
    assert thief.user() == ada
    ENDINGS[ending](browser, ada)
    for _ in range(2):
        thief.visit(ATTEMPTS[attempt])
        now.time += 1
    for later in (1, 60, 3600):
        now.time += later
        assert Browser(other, thief.cookie).user() is None
        assert Browser(one, thief.cookie).user() is None


@pytest.mark.parametrize("operation", ["load", "create", "save"])
@pytest.mark.parametrize("ending", ["log_out()", "end_user()", "end_all()", "end_others()"])
def test_asvs_7_4_1_no_way_back_between_two_steps(place, ended, ada, ending, operation):
    """Nor what is under way when it ends, at whichever step, in the same process."""
    for attempt in ATTEMPTS.values():
        watched = Watched(ended)
        app = place.site(store=watched)
        browser = Browser(app)
        browser.log_in(ada)
        browser.visit(lambda: session.regenerate())  # so that there is something to save
        copy = browser.twin()
        watched.meanwhile[operation] = lambda: ENDINGS[ending](browser, ada)  # noqa: B023  # at once
        copy.visit(attempt)
        if operation in watched.meanwhile:
            continue  # it never got so far
        for other in (copy, Browser(place.site(), copy.cookie)):
            # Who made it another user's before it was ended has no session of that user's any more.
            assert other.user() in {None, "mallory"}


@pytest.mark.parametrize("operation", ["load", "create", "save"])
def test_asvs_7_2_4_of_two_renewals_one_counts(place, ended, ada, operation):
    """Of two requests that renew a session at once one has a good cookie, and the other none."""
    watched = Watched(ended)
    browser = Browser(place.site(store=watched))
    browser.log_in(ada)
    if operation != "create":
        browser.visit(lambda: session.regenerate())  # so that there is something to save
    copy = browser.twin()
    watched.meanwhile[operation] = lambda: browser.visit(lambda: session.regenerate())
    assert says_nothing_of_cookies(copy.visit(lambda: session.regenerate()))
    assert operation not in watched.meanwhile
    found = [Browser(place.site(), each.cookie).user() for each in (browser, copy)]
    assert found == [ada, None]


def test_asvs_7_4_1_what_is_written_after_the_end(place, ada):
    """Who clears a session that is over already, and writes, gets no other one by that."""
    one, other = place.site(), place.site()
    browser = Browser(one)
    browser.log_in(ada)
    copy = Browser(other, browser.cookie)
    assert copy.user() == ada
    browser.visit(lambda: session.log_out())
    assert says_nothing_of_cookies(copy.visit(lambda: (session.clear(), session.update(a=1))))


KEPT = {
    "idle": Policy(idle=timedelta(days=7)),
    "absolute": Policy(idle=timedelta(days=1), absolute=timedelta(days=30)),
    "withheld": Policy(
        idle=timedelta(hours=1), absolute=timedelta(days=2), on_idle=OnIdle.REAUTHENTICATE
    ),
}


@pytest.mark.parametrize("states", KEPT)
@pytest.mark.parametrize("ending", ENDINGS)
def test_asvs_7_4_1_as_long_as_a_cookie_lives(place, ada, now, states, ending):
    """What ended is remembered until the last cookie of it is over, however often one purges."""
    policy = KEPT[states]
    app = place.site(policy)
    browser = Browser(app)
    browser.log_in(ada)
    copies = [browser.twin()]
    longest = policy.absolute or policy.idle
    browser.visit(lambda: (setattr(session, "lifetime", longest), session.get("a")))
    copies.append(browser.twin())
    ENDINGS[ending](browser, ada)
    began = now.time
    for part in (0.01, 0.1, 0.5, 0.9, 0.999, 1, 1.1):
        now.time = began + int(longest.total_seconds() * part)
        list(manage.purge(place.store, now.time))
        for copy in copies:
            opened = Browser(place.site(policy), copy.cookie).visit(
                lambda: (session.user_id, session.withheld_user_id)
            )
            assert opened.result == (None, None)


@pytest.mark.parametrize("states", KEPT)
def test_asvs_7_4_1_ended_by_an_older_cookie(place, ada, now, states):
    """And it is so if whoever ended it had an older cookie, which is over before the others."""
    policy = KEPT[states]
    app = place.site(policy)
    browser = Browser(app)
    browser.log_in(ada)
    older = browser.twin()
    longest = policy.absolute or policy.idle
    now.time += int(policy.idle.total_seconds()) - 60
    browser.visit(lambda: (setattr(session, "lifetime", longest), session.get("a")))
    assert browser.user() == ada
    older.visit(lambda: session.log_out())
    began, left = now.time, int(longest.total_seconds())
    for part in (61, 600, 3600, left // 2, left - int(policy.idle.total_seconds()), left - 1):
        now.time = began + part
        list(manage.purge(place.store, now.time))
        assert Browser(place.site(policy), browser.cookie).user() is None
        assert Browser(place.site(policy), browser.cookie).contents() == {}


def test_asvs_7_4_1_no_lifetime_beyond_what_is_remembered(place, ada):
    """Without an absolute limit no session makes itself last for longer than its end is known."""
    browser = Browser(place.site(Policy(idle=timedelta(days=7))))
    browser.log_in(ada)

    def last():
        session.lifetime = timedelta(days=7)
        with pytest.raises(ConfigurationError, match="lifetime"):
            session.lifetime = timedelta(days=8)
        return session.lifetime

    assert browser.visit(last).result == timedelta(days=7)


@pytest.mark.parametrize("ahead", [1, 5, 9])
@pytest.mark.parametrize("end", ["user", "all"])
def test_asvs_7_4_5_clocks_of_servers_differ(place, ada, now, ahead, end):
    """Who logged in on a server whose clock is some seconds ahead is ended with the others."""
    browser = Browser(place.site())
    now.time += ahead
    browser.log_in(ada)
    now.time -= ahead
    with place.site().app_context():
        ENDS[end](ada)
    for _ in range(2):
        assert Browser(place.site(), browser.cookie).user() is None
        now.time += 20


def test_asvs_7_4_3_who_was_ended_outlives_nobody(place, ada, now):
    """Of two devices that end each other at once the first one stays, and the second does not."""
    app = place.site()
    phone, laptop = Browser(app), Browser(app)
    phone.log_in(ada)
    laptop.log_in(ada)

    def end_too_late():
        assert session.user_id == ada
        laptop.visit(lambda: end_others())
        end_others()

    assert says_nothing_of_cookies(phone.visit(end_too_late))
    now.time += 60
    assert phone.user() is None


def test_asvs_7_4_3_asked_twice(place, ada):
    """Who ends their other sessions twice in one request, or in two, stays all the same."""
    browser, other = Browser(place.site()), Browser(place.site())
    browser.log_in(ada)
    other.log_in(ada)
    browser.visit(lambda: (end_others(), end_others()))
    browser.visit(lambda: end_others())
    assert browser.user() == ada
    assert Browser(place.site(), other.cookie).user() is None


ENDS = {"user": lambda user: end_user(user), "all": lambda _: end_all()}
BUSY = {
    "logins": lambda user: session.log_in(user),
    "regenerate()": lambda _: session.regenerate(),
    "reauthenticated()": lambda _: session.reauthenticated(),
    "end_others()": lambda _: end_others(),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("busy", BUSY)
def test_asvs_7_4_5_nobody_runs_ahead(place, ada, now, end, busy):
    """However often within a second a session is renewed, it is ended with all the others."""
    app = place.site()
    browser = Browser(app)
    browser.log_in(ada)
    for wait in (0, 5):
        for _ in range(30):
            browser.log_in(ada)
            browser.visit(lambda: BUSY[busy](ada))
        assert browser.user() == ada
        now.time += wait
        with app.app_context():
            ENDS[end](ada)
        assert browser.user() is None
    now.time += 3600
    assert browser.user() is None


@pytest.mark.parametrize("first", ENDS)
@pytest.mark.parametrize("second", ENDS)
def test_asvs_7_4_5_within_one_second(place, ada, first, second):
    """Whoever logs in between two endings of one second is there until the second, and no more."""
    app = place.site()
    browser = Browser(app)
    for _ in range(3):
        for end in (first, second):
            browser.log_in(ada)
            assert browser.user() == ada
            with app.app_context():
                ENDS[end](ada)
            assert browser.user() is None
    browser.log_in(ada)
    assert Browser(place.site(), browser.cookie).user() == ada


def test_asvs_7_4_1_older_cookies_can_end_it(place, ada):
    """Whoever ever held one of a session's cookies can end it, however it was renewed since."""
    app = place.site()
    browser = Browser(app)
    browser.log_in(ada)
    older = browser.twin()
    browser.visit(lambda: session.regenerate())
    browser.visit(lambda: session.reauthenticated())
    assert older.user() is None
    older.visit(lambda: session.log_out())
    assert older.cookie is None
    assert browser.user() is None


def test_asvs_7_4_1_a_dead_cookie_can_end_it(place, ada, now):
    """A logout by taking the user out ends the session too, though the cookie died meanwhile."""
    one, other = place.site(), place.site()
    browser = Browser(one)
    browser.log_in(ada)
    older = Browser(other, browser.cookie)
    assert older.user() == ada
    browser.visit(lambda: session.regenerate())
    older.visit(lambda: session.pop("_user_id"))  # that process does not know yet
    assert older.cookie is None
    now.time += 2
    assert browser.user() is None


@pytest.mark.parametrize("stale", [None, 30])
def test_asvs_7_4_1_while_nobody_can_tell(place, ended, ada, now, stale):
    """While the list of what ended can't be read, what is known serves as long as is stated."""
    stated = None if stale is None else timedelta(seconds=stale)
    watched = Watched(ended)
    app = place.site(Policy(revocation_stale_if_error=stated), store=watched)
    browser = Browser(app)
    browser.log_in(ada)
    assert browser.user() == ada
    watched.switch(off=True)
    began, served = now.time, stale or 2
    for age in (1, served - 1):
        now.time = began + age
        assert browser.user() == ada
        assert not is_unavailable(browser.visit(lambda: session.update(a=1)))
    now.time = began + served
    assert is_unavailable(browser.visit(lambda: session.user_id))
    assert is_unavailable(browser.visit(lambda: session.log_out()))
    now.time += 2
    watched.switch(off=False)
    assert browser.user() == ada


def test_asvs_7_4_1_emptied_and_renewed(place, ada):
    """Who renews a session and takes all out of it leaves nothing for older cookies."""
    browser = Browser(place.site())
    browser.put(a=1)
    older = browser.twin()
    browser.visit(lambda: (session.regenerate(), session.pop("a")))
    assert browser.cookie is None
    assert older.contents() == {}
