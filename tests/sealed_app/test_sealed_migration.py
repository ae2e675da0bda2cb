"""From Flask's own signed cookies to sealed ones, without a logout."""

# ruff: noqa: PLW0108 - `session` has its methods inside of a request alone

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from flask.sessions import SecureCookieSessionInterface as FlasksInterface
from sealed_sites import record_in, sealed_site
from visits import (
    OTHER_SECRET,
    SECRET,
    Browser,
    Watched,
    at_once,
    cookies_set,
    make_app,
    says_nothing_of_cookies,
    signed_cookie,
)

from holdfast import ConfigurationError, CookiePolicy, Policy
from holdfast.flask import Holdfast, end_user, session
from holdfast.stores.memory import MemoryStore

SOON = datetime.now(UTC) + timedelta(days=40)  # later than any signed cookie of today expires
ADA = {"user_id": "ada", "cart": ["book"]}
DAY = 86400


@pytest.fixture
def site(events):
    """Return an application whose signed cookies become sealed ones."""
    return sealed_site(migrate_until=SOON, listeners=[events.append])


@pytest.fixture
def ended():
    """Return a store for what was ended."""
    return Watched(MemoryStore(purge_every=None))


def test_nobody_is_logged_out(site):
    """A signed cookie is read, and sealed when it is looked at."""
    browser = Browser(site, signed_cookie(ADA))
    assert says_nothing_of_cookies(browser.visit())
    response = browser.visit(lambda: (dict(session), session.user_id, session.new))
    assert response.result == (ADA, "ada", False)
    assert len(cookies_set(response)) == 1
    assert "." not in browser.cookie
    assert says_nothing_of_cookies(browser.visit(lambda: session.get("cart")))
    assert Browser(sealed_site(), browser.cookie).contents() == ADA


@pytest.mark.parametrize("permanent", [False, True])
def test_whether_it_is_permanent(site, permanent):
    """It stays permanent, or not; the key in which Flask keeps that is gone."""
    browser = Browser(site, signed_cookie({"a": 1}, permanent=permanent))
    response = browser.visit(lambda: (session.permanent, dict(session)))
    assert response.result == (permanent, {"a": 1})
    assert ("expires" in cookies_set(response)[0].attributes) is permanent


def test_what_the_request_does_counts(site):
    """The first request may write, log in or out as any other."""
    writes, leaves, comes = (Browser(site, signed_cookie(ADA)) for _ in range(3))
    writes.put(b=2)
    assert writes.contents() == ADA | {"b": 2}
    leaves.visit(lambda: session.log_out())
    assert leaves.cookie is None
    comes.log_in("eve")
    assert comes.contents() == {"_user_id": "eve"}


def test_another_name():
    """It may be under Flask's name where the policy states another, which the new one has."""
    app = sealed_site(Policy.secure(), migrate_until=SOON)
    browser = Browser(app, signed_cookie(ADA), "session")
    assert browser.contents() == ADA
    assert browser.client.get_cookie("__Host-session") is not None
    browser.name = "__Host-session"
    browser.client.delete_cookie("session")
    assert browser.contents() == ADA


def test_the_signed_cookie_goes(now):
    """The one under Flask's name is deleted, so that it undoes no logout and no timeout."""
    app = sealed_site(Policy.secure(), migrate_until=SOON)
    browser = Browser(app, signed_cookie(ADA), "session")
    response = browser.visit(lambda: session.user_id)
    assert response.result == "ada"
    (gone,) = cookies_set(response, "session")
    assert (gone.value, gone.attributes["max-age"]) == ("", "0")
    assert browser.cookie is None
    now.time += 14 * DAY
    assert browser.user() is None


def test_a_logout_takes_the_signed_cookie_along():
    """So does whoever logs out, with the first request or a later one, also if it came back."""
    app = sealed_site(Policy.secure(), migrate_until=SOON)
    text = signed_cookie(ADA)
    first, later = Browser(app, text, "session"), Browser(app, text, "session")
    assert later.user() == "ada"
    later.cookie = text  # the answer that deleted it was lost
    for browser in (first, later):
        browser.visit(lambda: session.log_out())
        assert browser.cookie is None
        assert browser.client.get_cookie("__Host-session") is None
        assert browser.user() is None


def test_the_name_that_was_configured():
    """SESSION_COOKIE_NAME says under which name the cookies from before are."""
    app = sealed_site(
        Policy(cookie=CookiePolicy(name="new")), migrate_until=SOON, SESSION_COOKIE_NAME="old"
    )
    browser = Browser(app, signed_cookie(ADA), "old")
    assert browser.contents() == ADA
    assert Browser(app, signed_cookie(ADA), "session").contents() == {}


def test_a_weaker_name_is_for_signed_cookies_alone():
    """A sealed cookie under Flask's name is not read in place of one with the policy's."""
    plain = Browser(sealed_site())
    plain.put(a=1)
    strict = sealed_site(Policy.secure(), migrate_until=SOON)
    good = Browser(strict)
    good.put(a=2)
    for text in (plain.cookie, good.cookie):
        assert Browser(strict, text, "session").contents() == {}


def test_the_policys_name_wins():
    """Where both are there, the cookie under the policy's name counts."""
    app = sealed_site(Policy.secure(), migrate_until=SOON)
    browser = Browser(app)
    browser.put(a=1)
    browser.client.set_cookie("session", signed_cookie(ADA))
    assert browser.contents() == {"a": 1}


BAD = {
    "another key": signed_cookie(ADA, OTHER_SECRET),
    "signature": signed_cookie(ADA)[:-2] + "AA",
    "contents": signed_cookie(ADA)[1:],
    "made up": "e30.AAAAAA.AAAA",
    "empty": "..",
    "nonsense": "nonsense",
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_a_bad_one_is_as_good_as_none(site, text):
    """A signed cookie that is forged, or was changed, opens nothing and is left alone."""
    browser = Browser(site, text)
    response = browser.visit(lambda: dict(session))
    assert response.result == {}
    assert says_nothing_of_cookies(response)


def test_an_expired_one(now):
    """One that is older than PERMANENT_SESSION_LIFETIME opens nothing."""
    app = sealed_site(migrate_until=SOON, PERMANENT_SESSION_LIFETIME=100)
    text = signed_cookie(ADA)
    assert Browser(app, text).contents() == ADA
    now.time += 110
    assert Browser(app, text).contents() == {}


def test_the_absolute_time_counts_from_the_signature(now):
    """Importing a session does not prolong it beyond the policy's absolute time."""
    app = sealed_site(Policy(absolute=timedelta(days=3)), migrate_until=SOON)
    text = signed_cookie(ADA)
    now.time += 2 * DAY
    browser = Browser(app, text)
    assert browser.contents() == ADA
    now.time += DAY + 5
    assert browser.contents() == {}
    assert Browser(app, text).contents() == {}


def test_a_fallback_reads_it():
    """One that an older key signed is read as long as that is among the fallbacks."""
    app = sealed_site(migrate_until=SOON, SECRET_KEY_FALLBACKS=[OTHER_SECRET])
    browser = Browser(app, signed_cookie(ADA, OTHER_SECRET))
    assert browser.contents() == ADA
    assert Browser(sealed_site(), browser.cookie).contents() == ADA


@pytest.mark.parametrize("until", [None, date(2020, 1, 1), datetime(2020, 1, 1, tzinfo=UTC)])
def test_after_the_date(until):
    """Without a date, and after it, signed cookies open nothing."""
    browser = Browser(sealed_site(migrate_until=until), signed_cookie(ADA))
    assert browser.contents() == {}


def test_until_the_date(now):
    """The date is its beginning in UTC, and counts to the second."""
    app = sealed_site(migrate_until=datetime.fromtimestamp(now.time + 100, UTC))
    text = signed_cookie(ADA)
    now.time += 99
    assert Browser(app, text).contents() == ADA
    now.time += 1
    assert Browser(app, text).contents() == {}


def test_a_sealed_one_is_never_read_as_signed(site):
    """During the migration a sealed cookie that was changed opens nothing either."""
    browser = Browser(site)
    browser.put(a=1)
    assert Browser(site, browser.cookie[:-1] + "AB").contents() == {}
    assert Browser(site, browser.cookie).contents() == {"a": 1}


def test_without_a_secret_key(site):
    """Without SECRET_KEY there is a null session, as at other times."""
    site.secret_key = None
    assert Browser(site, "cookie").visit(lambda: session.get("a")).status_code == 200


def test_what_the_application_set_on_flasks_interface():
    """Cookies of another salt are read as Flask's interface was told to."""
    other = make_app(SECRET_KEY=SECRET)
    other.session_interface = FlasksInterface()
    other.session_interface.salt = "of our own"
    signed = Browser(other)
    signed.put(a=1)
    Holdfast(other, seal=True, migrate_until=SOON)
    assert Browser(other, signed.cookie).contents() == {"a": 1}
    assert Browser(other, signed_cookie(ADA)).contents() == {}


def test_requests_at_once(site, events):
    """All requests that bring one signed cookie at once are of one session."""
    text = signed_cookie(ADA)
    browsers = [Browser(site, text) for _ in range(8)]
    found = at_once(*(browser.contents for browser in browsers))
    assert found == [ADA] * 8
    assert len({record_in(site, browser.cookie).key for browser in browsers}) == 1
    handles = {browser.visit(lambda: session.handle).result for browser in browsers}
    assert len(handles) == 1


def test_changing_back():
    """A sealed cookie makes an empty session where cookies are signed again, and no error."""
    browser = Browser(sealed_site())
    browser.put(a=1)
    signed = make_app("shop", SECRET_KEY=SECRET)
    Holdfast(signed)
    assert Browser(signed, browser.cookie).contents() == {}


def test_contents_that_are_too_much():
    """A signed cookie that holds more than a sealed one could makes an error, as any write does."""
    app = sealed_site(migrate_until=SOON)
    text = signed_cookie({"a": "x" * 5000})  # compressed
    assert len(text) < 500
    browser = Browser(app, text)
    assert browser.visit(lambda: session.get("a")).status_code in {200, 500}
    smaller = browser.visit(lambda: session.update(a="x"))
    assert smaller.status_code == 200
    assert browser.contents() == {"a": "x"}


# With revocations


@pytest.mark.parametrize("policy", [None, Policy(idle=timedelta(hours=1))], ids=["", "short"])
def test_a_logout_stays_one(ended, now, policy):
    """A logout after the migration is not undone by the signed cookie, as long as that is good."""
    app = sealed_site(policy, revocations=ended, migrate_until=SOON)
    text, eves = signed_cookie(ADA), signed_cookie({"user_id": "eve"})
    browser = Browser(app, text)
    assert browser.contents() == ADA
    browser.visit(lambda: session.log_out())
    for later in (0, 5, 100, 3601, DAY, 29 * DAY):
        now.time += later
        other = sealed_site(policy, revocations=ended, migrate_until=SOON)
        for process in (app, other):
            assert Browser(process, text).contents() == {}, later
            assert Browser(process, eves).user() == "eve", "signed cookies are good still"
        ended.store.purge(now.time, limit=100)


def test_a_logout_by_the_signed_cookie(ended):
    """Who logs out with the first request that brings it is logged out for good."""
    app = sealed_site(revocations=ended, migrate_until=SOON)
    text = signed_cookie(ADA)
    browser = Browser(app, text)
    (cookie,) = cookies_set(browser.visit(lambda: session.log_out()))
    assert cookie.value == ""
    assert Browser(app, text).contents() == {}
    assert Browser(sealed_site(revocations=ended, migrate_until=SOON), text).contents() == {}


def test_a_login_after_the_migration(ended):
    """Whoever logs in with it leaves nothing that the signed cookie would open."""
    app = sealed_site(revocations=ended, migrate_until=SOON)
    text = signed_cookie({"cart": ["book"]})
    browser = Browser(app, text)
    browser.log_in("ada")
    assert browser.contents() == {"_user_id": "ada", "cart": ["book"]}
    assert Browser(app, text).contents() == {}


def test_ending_a_user_ends_signed_cookies(ended, now):
    """end_user() ends what was signed before too, migrated or not, and a later login is none."""
    app = sealed_site(revocations=ended, migrate_until=SOON)
    text, eves = signed_cookie(ADA), signed_cookie({"user_id": "eve"})
    migrated = Browser(app, signed_cookie(ADA | {"b": 1}))
    assert migrated.user() == "ada"
    Browser(app).visit(lambda: end_user("ada"))
    for later in (0, 3, 100, DAY, 29 * DAY):
        now.time += later
        process = sealed_site(revocations=ended, migrate_until=SOON)
        assert Browser(process, text).contents() == {}
        assert Browser(process, migrated.cookie).contents() == {}
        assert Browser(process, eves).user() == "eve"
        ended.store.purge(now.time, limit=100)
    again = Browser(app)
    again.log_in("ada")
    assert again.user() == "ada"


def test_a_missing_key_is_told():
    """What the migration needs is said where it is missing."""
    app = make_app("shop")
    Holdfast(app, store="memory://", migrate_until=SOON)
    app.config["PROPAGATE_EXCEPTIONS"] = True
    with pytest.raises(ConfigurationError, match="SECRET_KEY"):
        Browser(app, "a").visit(lambda: session.get("a"))
