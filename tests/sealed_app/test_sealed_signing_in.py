"""Signing in and out of a session in a sealed cookie, and what its policy makes of time."""

# ruff: noqa: PLW0108 - `session` has its methods inside of a request alone

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sealed_sites import record_in, sealed_site
from visits import Browser, cookies_set, says_nothing_of_cookies

from holdfast import (
    ConfigurationError,
    NotSignedIn,
    OnIdle,
    Policy,
    ReauthenticationRequired,
    UnstorableValue,
)
from holdfast.flask import (
    end_all,
    end_others,
    end_session,
    end_user,
    require_fresh,
    session,
    sessions_of,
)

FIVE_MINUTES = timedelta(minutes=5)
IDLE = 3600
DAY = 86400


def at(time):
    return datetime.fromtimestamp(time, UTC)


def facts():
    return session.user_id, session.authenticated_at, session.methods


def state():
    return session.needs_reauthentication, session.withheld_user_id, session.user_id


# Logging in and out


def test_logging_in(browser, now):
    """log_in() keeps what the visitor had, and notes when and how."""
    browser.put(cart=["book"])
    assert browser.visit(facts).result == (None, None, frozenset())
    now.time += 5
    browser.log_in("ada", "password", "totp")
    now.time += 100
    began = at(now.time - 100)
    assert browser.visit(facts).result == ("ada", began, {"password", "totp"})
    assert browser.contents() == {"cart": ["book"], "_user_id": "ada"}
    assert browser.visit(lambda: (session.created, session.last_seen)).result == (
        began,
        at(now.time),
    )


def test_logging_in_is_seen_at_once(browser):
    """In the request that logs in the session is the user's, and fresh."""

    def log_in():
        session.log_in("ada", methods=["password"])
        return session.user_id, session.is_fresh(timedelta(seconds=1), ["password"])

    assert browser.visit(log_in).result == ("ada", True)


@pytest.mark.parametrize("user_id", [7, uuid.UUID(int=7), "ada"])
def test_ids(browser, user_id):
    """An id may be text, a whole number or a UUID, and the session keeps what it was given."""
    browser.log_in(user_id)
    assert browser.user() == str(user_id)
    assert browser.get("_user_id") == user_id


@pytest.mark.parametrize("user_id", ["", None, 1.5, True, b"ada", ["ada"]])
def test_what_is_no_id(browser, user_id):
    """Anything else is refused, and nobody is logged in."""

    def log_in():
        with pytest.raises(UnstorableValue, match="user_id"):
            session.log_in(user_id)

    assert browser.visit(log_in).status_code == 200
    assert browser.cookie is None


def test_another_user(browser):
    """Of another user's session nothing stays, neither contents nor methods."""
    browser.log_in("ada", "password", "totp")
    browser.put(secret="ada's")
    browser.log_in("eve", "password")
    assert browser.contents() == {"_user_id": "eve"}
    assert browser.visit(lambda: session.methods).result == {"password"}


CHANGES = {
    "log in again": lambda: session.log_in("ada", ["passkey"]),
    "authenticate": lambda: session.reauthenticated(["password"]),
    "regenerate": lambda: session.regenerate(),
    "another user": lambda: session.log_in("eve"),
    "user left": lambda: session.pop("_user_id"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_another_time_of_issue(browser, now, change):
    """A change of privilege sets a cookie that is issued later, of the same session."""
    browser.log_in("ada", "password")
    browser.put(b=1)
    before = record_in(browser.app, browser.cookie)
    now.time += 5
    assert len(cookies_set(browser.visit(change))) == 1
    after = record_in(browser.app, browser.cookie)
    assert (after.key, after.rotated) == (before.key, before.rotated + 5)


def test_another_session(browser):
    """After clear() another session begins, with another handle."""
    browser.log_in("ada", "password")
    handle = browser.visit(lambda: session.handle).result
    browser.visit(lambda: (session.clear(), session.update(a=1)))
    assert browser.visit(lambda: session.handle).result not in {handle, None}
    assert browser.contents() == {"a": 1}


def test_the_same_time_of_issue(browser, now):
    """Writing, activity and permanence leave the time of issue as it is."""
    browser.log_in("ada")
    before = record_in(browser.app, browser.cookie)
    now.time += 100
    assert len(cookies_set(browser.visit(lambda: session.get("a")))) == 1
    browser.put(a=1)
    browser.visit(lambda: (setattr(session, "permanent", True), session.get("a")))
    after = record_in(browser.app, browser.cookie)
    assert (after.key, after.rotated) == (before.key, before.rotated)


def test_logging_out(browser):
    """log_out() deletes the cookie and tells the browser to forget what the policy says."""
    policy = Policy(clear_site_data=("cache", "storage"))
    browser = Browser(sealed_site(policy))
    browser.log_in("ada")
    response = browser.visit(lambda: session.log_out())
    assert response.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert browser.cookie is None
    assert browser.user() is None
    assert "Clear-Site-Data" not in browser.visit(lambda: session.get("a")).headers


def test_leaving_and_coming(browser):
    """Who logs out and in as another in one request takes nothing along."""
    browser.log_in("ada", "password")
    browser.put(a=1)
    browser.visit(lambda: (session.log_out(), session.log_in("eve"), session.update(b=2)))
    assert browser.contents() == {"_user_id": "eve", "b": 2}
    assert browser.visit(lambda: session.methods).result == frozenset()


def test_applying(browser):
    """apply() computes a value from the one that is there."""
    assert browser.visit(lambda: session.apply("n", lambda n: n + 1, 5)).result == 6
    assert browser.visit(lambda: session.apply("n", lambda n: n + 1, 5)).result == 7
    assert browser.get("n") == 7


# Authenticating again


def test_authenticating_again(browser, now):
    """reauthenticated() notes when and how, beside what is known, and keeps the beginning."""
    browser.log_in("ada", "password", "totp")
    browser.put(a=1)
    began = at(now.time)
    now.time += 1000
    browser.visit(lambda: session.reauthenticated(methods=("password",)))
    assert browser.visit(facts).result == ("ada", at(now.time), {"password", "totp"})
    assert browser.get("a") == 1
    assert browser.visit(lambda: session.created).result == began

    def fresh(*methods):
        return browser.visit(lambda: session.is_fresh(FIVE_MINUTES, methods)).result

    assert (fresh(), fresh("password"), fresh("totp")) == (True, True, False)
    now.time += 301
    assert not fresh()


def test_nobody_authenticates_again(browser):
    """Where nobody is signed in, nobody can authenticate again."""
    browser.put(a=1)

    def confirm():
        with pytest.raises(NotSignedIn):
            session.reauthenticated()

    assert browser.visit(confirm).status_code == 200


def test_sudo_mode(browser, now):
    """require_fresh lets in who authenticated lately, and says who is to authenticate."""
    page = require_fresh(FIVE_MINUTES)(lambda: "in")

    def refused():
        with pytest.raises(ReauthenticationRequired) as raised:
            page()
        return raised.value.user_id

    assert browser.visit(refused).result is None
    assert browser.visit(page).status_code == 401
    browser.log_in("ada", "password")
    assert browser.visit(page).result == "in"
    now.time += 301
    assert browser.visit(refused).result == "ada"
    assert browser.visit(page).status_code == 401
    browser.visit(lambda: session.reauthenticated(("password",)))
    assert browser.visit(page).result == "in"


# Lifetimes


def test_a_lifetime_of_its_own(now):
    """A session may be longer idle than the policy says, if it says so itself; or not so long."""
    app = sealed_site(Policy(idle=timedelta(hours=1), absolute=timedelta(days=30)))
    long, short = Browser(app), Browser(app)
    for browser, lifetime in ((long, timedelta(days=7)), (short, timedelta(minutes=1))):

        def log_in(lifetime=lifetime):
            session.log_in("ada")
            session.lifetime = lifetime

        assert browser.visit(log_in).status_code == 200
        assert browser.visit(lambda: session.lifetime).result == lifetime
    now.time += 60
    assert (long.user(), short.user()) == ("ada", None)
    now.time += 7 * DAY - 1
    assert long.user() == "ada"
    long.visit(lambda: (setattr(session, "lifetime", None), session.user_id))
    assert long.visit(lambda: session.lifetime).result is None
    now.time += IDLE
    assert long.user() is None


@pytest.mark.parametrize("lifetime", [7, timedelta(), timedelta(days=31)])
def test_a_wrong_lifetime(lifetime):
    """A lifetime is a duration, and no longer than the absolute one."""
    app = sealed_site(Policy(absolute=timedelta(days=30)))

    def page():
        with pytest.raises(ConfigurationError, match="lifetime"):
            session.lifetime = lifetime

    assert Browser(app).visit(page).status_code == 200


# Withheld until the user authenticates again


@pytest.fixture
def person(now):
    """Return somebody who logged in at level 2, and has something in the session."""
    browser = Browser(sealed_site(Policy.aal2()))
    browser.log_in("ada", "password", "totp")
    browser.put(balance=100)
    return browser


def test_aal2_is_kept():
    """Sealed cookies keep all of the policies for assurance levels 1 to 3."""
    for policy in (Policy.secure(), Policy.aal1(), Policy.aal2(), Policy.aal3()):
        browser = Browser(sealed_site(policy))
        browser.log_in("ada")
        assert browser.user() == "ada"


def test_what_is_withheld(person, now):
    """After the idle time the session looks empty and nobody's; confirming brings all back."""
    now.time += IDLE - 1
    assert person.visit(state).result == (False, None, "ada")
    now.time += IDLE
    token = person.cookie

    def look():
        return dict(session), session.user_id, session.new, session.methods

    response = person.visit(look)
    assert response.result == ({}, None, False, frozenset())
    assert says_nothing_of_cookies(response)
    assert person.visit(state).result == (True, "ada", None)
    assert person.cookie == token
    person.visit(lambda: session.reauthenticated(("password",)))
    assert person.contents() == {"_user_id": "ada", "balance": 100}
    assert person.visit(state).result == (False, None, "ada")
    assert person.cookie != token


def test_looking_is_no_activity(person, now):
    """No look while it is withheld extends anything, and after the absolute time it is over."""
    now.time += IDLE
    for _ in range(3):
        now.time += 600
        assert says_nothing_of_cookies(person.visit(state))
    now.time += DAY
    assert person.visit(state).result == (False, None, None)


def test_one_factor_begins_no_new_day(person, now):
    """Part of the login's methods opens it for what is left of the day; all begin a new one."""
    now.time += DAY - 600
    other = person.twin()
    person.visit(lambda: session.reauthenticated(["password"]))
    other.visit(lambda: session.reauthenticated(["password", "totp"]))
    now.time += 599
    assert (person.user(), other.user()) == ("ada", "ada")
    now.time += 1
    assert (person.user(), other.user()) == (None, "ada")


def test_what_is_written_meanwhile(person, now):
    """What is written meanwhile joins what was withheld, and replaces nothing of it."""
    now.time += IDLE
    person.put(message="hello", balance=-5)
    assert person.contents() == {"message": "hello", "balance": -5}
    assert person.visit(state).result == (True, "ada", None)
    now.time += 60
    person.visit(lambda: session.reauthenticated())
    assert person.contents() == {"_user_id": "ada", "balance": 100, "message": "hello"}


def test_in_one_request(person, now):
    """In the request that authenticates again everything is there at once."""
    now.time += IDLE

    def confirm():
        before = dict(session)
        session.reauthenticated(methods=["password"])
        return before, session.user_id, session["balance"], session.methods

    assert person.visit(confirm).result == ({}, "ada", 100, {"password", "totp"})


@pytest.mark.parametrize("user", ["ada", "eve"])
def test_logging_in_instead(person, now, user):
    """Who logs in instead begins anew, without what was withheld."""
    now.time += IDLE
    person.log_in(user)
    assert person.contents() == {"_user_id": user}
    assert person.visit(state).result == (False, None, user)


def test_logging_out_instead(person, now):
    """A logout deletes the cookie, withheld or not."""
    now.time += IDLE
    (cookie,) = cookies_set(person.visit(lambda: session.log_out()), "__Host-session")
    assert cookie.value == ""


def test_nobodys_session_is_over(now):
    """A session without a user is over after the idle time: there is nobody to authenticate."""
    policy = Policy(
        idle=timedelta(hours=1), absolute=timedelta(days=1), on_idle=OnIdle.REAUTHENTICATE
    )
    browser = Browser(sealed_site(policy))
    browser.put(a=1)
    now.time += IDLE
    assert browser.visit(state).result == (False, None, None)
    assert browser.contents() == {}


# What takes a store


@pytest.mark.parametrize(
    ("ask", "fix"),
    [
        (lambda: end_user("ada"), r"Holdfast\(app, seal=True, revocations='sqlite:///ended.db'\)"),
        (end_others, "revocations="),
        (end_all, "revocations="),
        (lambda: sessions_of("ada"), r"store='sqlite:///sessions.db', seal=True"),
        (lambda: end_session("ada", "handle"), "in a store"),
    ],
    ids=["end_user", "end_others", "end_all", "sessions_of", "end_session"],
)
def test_what_takes_a_store(browser, ask, fix):
    """Ending sessions elsewhere takes revocations, and listing them a store."""
    browser.log_in("ada")

    def page():
        with pytest.raises(ConfigurationError, match=fix):
            ask()

    assert browser.visit(page).status_code == 200
    assert browser.user() == "ada"


@pytest.mark.parametrize(
    ("command", "fix"),
    [
        (["list", "ada"], "store='sqlite:///sessions.db'"),
        (["end", "ada", "handle"], "store='sqlite:///sessions.db'"),
        (["end-user", "ada"], "revocations='sqlite:///ended.db'"),
        (["end-all", "--yes"], "revocations='sqlite:///ended.db'"),
        (["purge"], "revocations='sqlite:///ended.db'"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_commands_that_take_a_store(app, command, fix):
    """The commands say the same, in a sentence."""
    result = app.test_cli_runner().invoke(args=["sessions", *command])
    assert result.exit_code == 1
    assert result.output.startswith("Error: sessions in cookies ")
    assert fix in result.output
    assert "Traceback" not in result.output


def test_who_kept_a_copy(browser):
    """Without revocations a copy of a cookie stays good after the logout."""
    browser.log_in("ada")
    copy = browser.twin()
    browser.visit(lambda: session.log_out())
    assert browser.user() is None
    assert copy.user() == "ada"
