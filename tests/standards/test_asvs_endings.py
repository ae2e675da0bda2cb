"""OWASP ASVS 5.0, 7.4.1 and 7.4.5, of sessions that live in cookies: what ended stays ended.

Whatever one that knows an ended session's cookie asks of whichever process, and however fast.
"""

# ruff: noqa: PLW0108 - `session` has its methods inside of a request alone

from __future__ import annotations

import pytest
from everywhere import Place
from visits import Browser, Watched, says_nothing_of_cookies

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


def test_asvs_7_4_1_emptied_and_renewed(place, ada):
    """Who renews a session and takes all out of it leaves nothing for older cookies."""
    browser = Browser(place.site())
    browser.put(a=1)
    older = browser.twin()
    browser.visit(lambda: (session.regenerate(), session.pop("a")))
    assert browser.cookie is None
    assert older.contents() == {}
