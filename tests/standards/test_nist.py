"""NIST SP 800-63B-4: sessions at assurance levels 1, 2 and 3."""

# ruff: noqa: PLW0108 - `session` has its methods inside of a request alone

from __future__ import annotations

import base64
import os
import secrets
from datetime import timedelta

import pytest
from everywhere import Place
from visits import (
    Browser,
    Watched,
    cookies_set,
    make_site,
    parts_of,
    record_of,
    says_nothing_of_cookies,
)
from werkzeug.http import parse_date

from holdfast import ClientNote, NotSignedIn, OnIdle, Policy
from holdfast.core.record import Record
from holdfast.flask import end_all, end_others, end_user, require_fresh, session
from holdfast.stores.memory import MemoryStore

HOUR, DAY = 3600, 86400
LEVELS = {1: Policy.aal1(), 2: Policy.aal2(), 3: Policy.aal3()}
RANDOM = {secrets.token_bytes, os.urandom}
levels = pytest.mark.parametrize("level", LEVELS)


def logged_in(place, policy, user_id, *methods):
    browser = Browser(place.site(policy))
    browser.log_in(user_id, *(methods or ("password", "totp")))
    return browser


def stay(browser, now, until, step):
    """Be active until a time."""
    while now.time + step < until:
        now.time += step
        assert browser.user() is not None
    now.time = until


# Timeouts


@pytest.mark.parametrize(("level", "absolute"), [(1, 30 * DAY), (2, DAY), (3, 12 * HOUR)])
def test_nist_overall_timeout(place, ada, now, level, absolute):
    """A session is over, however active: at AAL1 in 30 days, at AAL2 24 hours, at AAL3 12 hours."""
    began, step = now.time, {1: 2 * DAY, 2: 3000, 3: 800}[level]
    browser = logged_in(place, LEVELS[level], ada)
    stay(browser, now, began + absolute - 1, step)
    assert browser.user() == ada
    now.time += 1
    assert browser.user() is None
    assert not browser.visit(lambda: session.needs_reauthentication).result


@pytest.mark.parametrize(("level", "idle"), [(1, 14 * DAY), (2, HOUR), (3, 15 * 60)])
def test_nist_inactivity_timeout(place, ada, now, level, idle):
    """Without activity it is over or withheld: at AAL2 in an hour, at AAL3 in 15 minutes."""
    browser = logged_in(place, LEVELS[level], ada)
    now.time += idle - 1
    assert browser.user() == ada
    now.time += idle - 1
    assert browser.user() == ada
    now.time += idle
    assert browser.contents() == {}
    assert browser.visit(lambda: session.needs_reauthentication).result is (level == 2)


def test_nist_figures():
    """The presets are within what is asked: 30 days; 24 hours and one; 12 hours and 15 minutes."""
    day, hour, minute = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
    assert LEVELS[1].absolute <= 30 * day
    assert LEVELS[2].absolute <= 24 * hour
    assert LEVELS[2].idle <= hour
    assert LEVELS[3].absolute <= 12 * hour
    assert LEVELS[3].idle <= 15 * minute


def test_nist_activity_resets_the_idle_time_only(place, ada, now):
    """Activity resets the time of inactivity, and never the overall one."""
    browser = logged_in(place, LEVELS[2], ada)
    began = now.time

    def times():
        return session.created.timestamp(), session.last_seen.timestamp()

    stay(browser, now, began + 10 * HOUR, 1800)
    assert browser.user() == ada
    assert browser.visit(times).result == (began, now.time)
    if not place.in_cookies:
        assert record_of(place.store, browser.cookie).expires == began + DAY


def test_nist_reauthentication_resets_both(place, ada, now):
    """Who authenticates again as for the login begins both times anew."""
    browser = logged_in(place, LEVELS[2], ada)
    now.time += DAY - 60
    browser.visit(lambda: session.reauthenticated(["password", "totp"]))
    began = now.time
    stay(browser, now, began + DAY - 1, 3000)
    assert browser.user() == ada
    now.time += 1
    assert browser.user() is None


# To authenticate again


def test_nist_aal1_reauthentication(place, ada, now):
    """At AAL1 any of its methods will do, and makes the session fresh."""
    browser = logged_in(place, LEVELS[1], ada, "password")
    now.time += 10 * DAY
    browser.visit(lambda: session.reauthenticated(["password"]))
    assert browser.visit(lambda: session.is_fresh(timedelta(minutes=1))).result
    stay(browser, now, now.time + 30 * DAY - 1, 10 * DAY)
    assert browser.user() == ada


def test_nist_aal2_reauthentication(place, ada, now):
    """At AAL2, if only the idle time has passed, a password with the session's secret will do."""
    began = now.time
    browser = logged_in(place, LEVELS[2], ada)
    browser.put(balance=7)
    now.time += 5 * HOUR
    secret = browser.cookie
    assert browser.visit(lambda: session.withheld_user_id).result == ada
    browser.visit(lambda: session.reauthenticated(["password"]))
    assert browser.contents() == {"_user_id": ada, "balance": 7}
    if place.ends:
        assert Browser(browser.app, secret).user() is None
    stay(browser, now, began + DAY, 3000)  # which is not a login with both
    assert browser.user() is None
    # Without the secret there is nothing to open.

    def reauthenticate():
        with pytest.raises(NotSignedIn):
            session.reauthenticated(["password"])

    assert Browser(browser.app).visit(reauthenticate).status_code == 200


def known():
    return session.created, session.last_seen, session.handle, session.needs_reauthentication


def test_nist_aal2_between_the_timeouts(place, ada, now):
    """Between the two times nothing is permitted but to authenticate again."""
    browser = logged_in(place, LEVELS[2], ada)
    browser.put(balance=7)
    before = browser.visit(known).result
    now.time += HOUR

    def look():
        fresh = session.is_fresh(timedelta(days=1))
        return dict(session), session.user_id, session.methods, session.authenticated_at, fresh

    response = browser.visit(look)
    assert response.result == ({}, None, frozenset(), None, False)
    assert says_nothing_of_cookies(response)
    browser.put(balance=0)
    browser.visit(lambda: session.pop("balance"))
    assert browser.visit(known).result == (*before[:3], True)
    assert browser.visit(lambda: session.withheld_user_id).result == ada
    browser.visit(lambda: session.reauthenticated(["password"]))
    assert browser.get("balance") == 7


def test_nist_aal2_nobody_s_session_is_over(place, now):
    """Nobody's session is not withheld, but over, however long it was to last before."""
    browser = Browser(place.site(LEVELS[2]))
    browser.visit(lambda: (session.update(a=1), setattr(session, "lifetime", timedelta(hours=9))))
    browser.visit(lambda: (session.get("a"), setattr(session, "lifetime", None)))
    now.time += 2 * HOUR
    assert browser.visit(known).result == (None, None, None, False)
    assert browser.contents() == {}


def test_nist_aal3_reauthentication(place, ada, now):
    """At AAL3 either time ends the session, so that only a full login goes on."""
    assert LEVELS[3].on_idle is OnIdle.END
    browser = logged_in(place, LEVELS[3], ada)
    now.time += 15 * 60

    def reauthenticate():
        with pytest.raises(NotSignedIn):
            session.reauthenticated(["password"])

    assert browser.visit(reauthenticate).status_code == 200
    browser.log_in(ada, "password", "passkey")
    assert browser.user() == ada


@levels
def test_nist_sensitive_pages(local_place, level, now):
    """At each level an application can ask for one of the methods again before a page."""
    app = local_place.site(LEVELS[level])
    app.get("/password")(require_fresh(methods=("totp",))(lambda: "open"))
    browser = Browser(app)

    def status():
        return browser.client.get("/password", browser.url).status_code

    browser.log_in("ada", "password")
    assert status() == 401
    browser.visit(lambda: session.reauthenticated(["totp"]))
    assert status() == 200
    now.time += 301
    assert status() == 401


# The session's secret


@levels
def test_nist_secret_is_of_an_approved_generator(level):
    """It has 64 bits at least, of a secure generator; a sealed cookie is one under a secret key."""
    app = make_site(MemoryStore(), LEVELS[level])
    assert app.session_interface.engine(app).random in RANDOM
    browsers = [Browser(app) for _ in range(20)]
    for browser in browsers:
        browser.log_in("ada")
    found = {base64.urlsafe_b64decode(browser.cookie) for browser in browsers}
    assert {len(each) for each in found} == {48}
    assert len({each[16:] for each in found}) == 20


@pytest.mark.parametrize("leave", [lambda: session.log_out(), lambda: session.clear()])
def test_nist_secret_is_erased_at_logout(place, ada, leave):
    """A logout erases it: in the browser, and its digest in the store, with all contents."""
    browser = logged_in(place, LEVELS[2], ada)
    browser.put(secret="hunter2")
    token = browser.cookie
    response = browser.visit(leave)
    (deleted,) = cookies_set(response, "__Host-session")
    assert deleted.value == ""
    assert parse_date(deleted.attributes["expires"]).year == 1970
    assert browser.cookie is None
    if place.in_cookies:
        return
    record = record_of(place.store, token)
    assert record.ended
    assert (record.secret, record.previous, record.data, record.user_id) == (b"", b"", b"", None)


@levels
def test_nist_secret_is_in_a_cookie(local_place, level):
    """It is in a cookie alone: Secure, HttpOnly, SameSite, __Host- and Path=/, of one host."""
    browser = Browser(local_place.site(LEVELS[level]))
    response = browser.log_in("ada")
    (cookie,) = cookies_set(response, "__Host-session")
    attributes = cookie.attributes
    assert attributes.pop("samesite") in {"Lax", "Strict"}
    assert attributes.pop("expires", None) is None
    assert attributes == {"secure": True, "httponly": True, "path": "/"}
    others = {key: text for key, text in response.headers if key != "Set-Cookie"}
    for part in parts_of(browser.cookie):
        assert part not in str(others)
        assert part not in response.text


PERSONAL = {"name": "Ada of Example Street", "mail": "ada@example.org", "account": b"\0" * 99}


@levels
def test_nist_no_personal_data_in_the_cookie(local_place, level):
    """The cookie is opaque: nothing of the user is in it, in clear text or encoded."""
    browser = Browser(local_place.site(LEVELS[level]))
    browser.log_in("ada@example.org", "password")
    browser.put(**PERSONAL)
    for text in (browser.cookie.encode(), base64.urlsafe_b64decode(browser.cookie + "==")):
        for personal in (b"ada@e", b"Ada of", b"example", b"password", b"Street", b"AAAAAA"):
            assert personal not in text


class Recorded(Watched):
    """A store that keeps all records that it was ever given."""

    def __init__(self, store):
        super().__init__(store)
        self.given = []

    def _ask(self, name, *args, **kwargs):
        self.given += [each for each in args if isinstance(each, Record)]
        return super()._ask(name, *args, **kwargs)


@pytest.mark.parametrize("seal", [False, True])
def test_nist_no_personal_data_in_the_store(seal):
    """Where contents are sealed a store gets none of them, but whose they are, to list and end."""
    kept = Recorded(MemoryStore())
    browser = Browser(Place(kept, seal=seal).site(Policy.aal2()))
    browser.log_in("ada@example.org", "password")
    browser.put(**PERSONAL)
    browser.visit(lambda: session.reauthenticated(["totp"]))
    assert len(kept.given) == 3
    given = b"".join(record.data for record in kept.given)
    clear = [name for name in (b"ada@e", b"Street", b"password", b"AAAAAA") if name in given]
    assert bool(clear) is not seal
    assert {record.user_id for record in kept.given} == {"ada@example.org"}


def test_nist_no_personal_data_in_revocations():
    """Of a session in a cookie the store learns nothing but that it ended: not even whose."""
    kept = Recorded(MemoryStore())
    browser = Browser(Place(kept, seal=True, in_cookies=True).site(Policy.aal2()))
    for end in (
        lambda: session.log_out(),
        lambda: end_others(),
        lambda: end_user("ada@example.org"),
        lambda: end_all(),
    ):
        browser.log_in("ada@example.org", "password")
        browser.put(**PERSONAL)
        browser.visit(end)
    assert len(kept.given) >= 4
    for record in kept.given:
        said = (record.user_id, record.data, record.client, record.secret, record.previous)
        assert said == (None, b"", "", b"", b"")
        assert b"ada@" not in record.key


@levels
def test_nist_the_cookie_is_not_the_enforcement(place, ada, now, level):
    """A browser that never forgets its cookie is out at the same second."""
    browser = Browser(place.site(LEVELS[level]))
    browser.log_in(ada, "password", permanent=True)
    kept = browser.cookie
    now.time += int(LEVELS[level].absolute.total_seconds())
    hoarder = Browser(browser.app)
    hoarder.cookie = kept
    assert hoarder.contents() == {}
    assert not hoarder.visit(lambda: session.needs_reauthentication).result


@levels
def test_nist_personal_data_is_opt_in(store, ada, level):
    """Nothing is kept of the user's browser or address unless the policy has it kept."""
    assert LEVELS[level].client is ClientNote.NONE
    browser = Browser(make_site(store, LEVELS[level]), agent="Firefox/128.0", address="203.0.113.7")
    browser.log_in(ada)
    assert record_of(store, browser.cookie).client == ""
