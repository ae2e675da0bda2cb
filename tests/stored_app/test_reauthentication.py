"""Between the idle time and the absolute one: what is withheld until the user authenticates again.

The application has a form with a CSRF token in the session, as most do.
"""

# ruff: noqa: PLW0108 - `session` has its methods inside of a request alone

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import timedelta

import flask
import pytest
from visits import Browser, Watched, make_site, record_of, says_nothing_of_cookies

from holdfast import CookiePolicy, NotSignedIn, Policy, ReauthenticationRequired, TooManySessions
from holdfast.flask import end_user, require_fresh, session, sessions_of

PASSWORD = "correct horse"
IDLE = 3600
DAY = 86400


class Person(Browser):
    """Somebody with a browser, who fills in forms."""

    def form(self, path):
        """Open a form; return the response, which has the CSRF token."""
        return self.client.get(path, self.url)

    def post(self, path, **fields):
        """Send a form, with the token that its page had."""
        fields.setdefault("csrf", self.form(path).text)
        return self.client.post(path, self.url, data=fields)


@pytest.fixture
def watched(store):
    return Watched(store)


@pytest.fixture
def bank(watched, events):  # noqa: C901  # its views
    """Return an application with aal2, on each store."""
    app = make_site(watched, Policy.aal2(), listeners=[events.append], PROPAGATE_EXCEPTIONS=True)

    def csrf():
        return session.setdefault("csrf", secrets.token_hex(8))

    def check():
        if flask.request.form["csrf"] != session.get("csrf"):
            flask.abort(400, "the form is not ours")

    @app.get("/login")
    @app.get("/confirm")
    def form():
        return csrf()

    @app.post("/login")
    def log_in():
        check()
        session.log_in(flask.request.form["user"], methods=["password", "totp"])
        return "welcome"

    @app.post("/confirm")
    def confirm():
        check()
        if flask.request.form["password"] != PASSWORD:
            flask.abort(403)
        session.reauthenticated(methods=["password"])
        return flask.redirect(session.pop("next", "/"))

    @app.get("/balance")
    def balance():
        if session.needs_reauthentication:
            session["next"] = flask.request.path
            return flask.redirect(f"/confirm?user={session.withheld_user_id}")
        if session.user_id is None:
            return flask.redirect("/login")
        return f"{session.user_id} has {session.get('balance', 0)}"

    @app.errorhandler(ReauthenticationRequired)
    def ask(error):
        return flask.redirect(f"/confirm?user={error.user_id}")

    @app.get("/limits")
    @require_fresh(timedelta(minutes=5))
    def limits():
        return "limits"

    return app


@pytest.fixture
def person(bank, ada, now):  # the clock stands still from here on
    """Return somebody who logged in, and has something in the session."""
    person = Person(bank)
    assert person.post("/login", user=ada).text == "welcome"
    person.put(balance=100)
    return person


def state(person):
    def page():
        return session.needs_reauthentication, session.withheld_user_id, session.user_id

    return person.visit(page).result


def test_the_way_through(person, ada, now):
    """Who was idle confirms by a form and goes on where they were, with all that they had."""
    assert person.form("/balance").status_code == 200
    token = person.cookie
    now.time += IDLE
    response = person.form("/balance")
    assert response.location == f"/confirm?user={ada}"
    assert person.post("/confirm", password="wrong").status_code == 403
    assert state(person) == (True, ada, None)
    assert person.cookie == token
    response = person.post("/confirm", password=PASSWORD)
    assert response.location == "/balance"
    assert person.form("/balance").text == f"{ada} has 100"
    assert person.cookie != token
    assert Person(person.app, token).user() is None


def test_what_is_withheld(person, ada, now):
    """Meanwhile the session looks empty and nobody's; nothing of it is deleted."""
    before = person.contents()
    now.time += IDLE

    def look():
        return dict(session), session.user_id, session.get("balance"), session.new, bool(session)

    response = person.visit(look)
    assert response.result == ({}, None, None, False, False)
    assert says_nothing_of_cookies(response)
    assert state(person) == (True, ada, None)
    assert person.visit(lambda: (session.methods, session.authenticated_at)).result == (
        frozenset(),
        None,
    )
    person.visit(lambda: session.reauthenticated())
    assert state(person) == (False, None, ada)
    assert person.contents() == before


def test_a_second_before(person, ada, now):
    """Until the last second of the idle time nothing is withheld, and a look begins it anew."""
    for _ in range(3):
        now.time += IDLE - 1
        assert state(person) == (False, None, ada)
    now.time += IDLE
    assert state(person) == (True, ada, None)


def test_looking_is_no_activity(person, ada, now, watched):
    """No look while it is withheld extends anything."""
    now.time += IDLE
    before = record_of(watched, person.cookie)
    for _ in range(3):
        now.time += 600
        assert state(person) == (True, ada, None)
        assert person.form("/balance").status_code == 302
    after = record_of(watched, person.cookie)
    assert (after.seen, after.expires) == (before.seen, before.expires)


def test_it_ends_with_the_absolute_time(person, now):
    """When a day has passed since the login it is over, withheld or not."""
    now.time += DAY - 1
    assert state(person)[0]
    now.time += 1
    assert state(person) == (False, None, None)

    def confirm():
        with pytest.raises(NotSignedIn):
            session.reauthenticated()

    assert person.visit(confirm).status_code == 200
    assert person.contents() == {}


def test_one_factor_begins_no_new_day(person, ada, now):
    """Part of the login's methods opens it for what is left of the day (NIST SP 800-63B-4)."""
    now.time += DAY - 600
    assert person.post("/confirm", password=PASSWORD).status_code == 302
    now.time += 599
    assert person.user() == ada
    now.time += 1
    assert person.user() is None


def test_all_factors_begin_a_new_day(person, ada, now):
    """All methods of the login begin the absolute time anew."""
    now.time += DAY - 600
    person.visit(lambda: session.reauthenticated(methods=["totp", "password"]))
    for _ in range(23):
        now.time += 3599
        assert person.user() == ada
    now.time += 3600
    assert not person.user()


def test_what_is_written_meanwhile(person, now):
    """What is written meanwhile is there meanwhile, and joins what was withheld afterwards."""
    now.time += IDLE
    token = person.form("/confirm").text
    assert person.contents() == {"csrf": token}
    person.put(message="hello", gone=1)
    person.visit(lambda: session.pop("gone"))
    assert person.contents() == {"csrf": token, "message": "hello"}
    person.visit(lambda: session.reauthenticated())
    assert person.get("message") == "hello"
    assert person.get("balance") == 100
    assert person.get("gone") is None


def test_it_replaces_nothing(person, ada, now):
    """What was withheld wins over what a stranger at the machine may have written meanwhile."""
    now.time += IDLE
    person.put(balance=-5, user="eve")
    assert state(person) == (True, ada, None)
    person.visit(lambda: session.reauthenticated())
    assert person.get("balance") == 100
    assert person.user() == ada


def test_in_one_request(person, ada, now):
    """In the request that reauthenticates everything is there at once."""
    now.time += IDLE

    def confirm():
        session["message"] = "hello"
        before = dict(session)
        session.reauthenticated(methods=["password"])
        return before, session.user_id, session["balance"], session["message"], session.methods

    assert person.visit(confirm).result == (
        {"message": "hello"},
        ada,
        100,
        "hello",
        {"password", "totp"},
    )


def test_two_tabs(person, now):
    """Two tabs that write meanwhile, and confirm one after the other, lose nothing."""
    now.time += IDLE
    other = person.twin()
    person.put(one=1)
    other.put(two=2)
    person.visit(lambda: session.reauthenticated())
    assert (person.get("one"), person.get("two"), person.get("balance")) == (1, 2, 100)
    assert other.contents() == {}  # its token is the one before
    other.cookie = person.cookie
    assert other.get("balance") == 100


def test_a_double_click(person, watched, ada, now):
    """Of two confirmations at once one opens it, and the other leaves its cookie alone."""
    now.time += IDLE
    other = person.twin()
    watched.meanwhile["save"] = lambda: other.visit(lambda: session.reauthenticated())
    response = person.visit(lambda: session.reauthenticated())
    assert response.status_code == 200
    assert says_nothing_of_cookies(response)
    assert state(other) == (False, None, ada)
    assert other.get("balance") == 100


def test_logging_in_instead(person, ada, now):
    """Who logs in instead begins anew, without what was withheld; the old token is dead."""
    before = person.twin()
    now.time += IDLE
    assert person.post("/login", user=ada).text == "welcome"
    assert person.user() == ada
    assert person.get("balance") is None
    assert before.contents() == {}


def test_somebody_else_logs_in(person, now):
    """So it is for another user, who gets nothing of it, not even the lifetime."""

    def remember():
        session.permanent, session.lifetime = True, timedelta(hours=2)
        return session.user_id

    person.visit(remember)
    now.time += 2 * IDLE
    assert state(person)[0]
    assert person.post("/login", user="eve").text == "welcome"
    assert state(person) == (False, None, "eve")
    assert "balance" not in person.contents()
    assert person.visit(lambda: (session.permanent, session.lifetime)).result == (False, None)


@pytest.mark.parametrize("leave", [lambda: session.clear(), lambda: session.log_out()])
def test_logging_out_instead(person, watched, now, leave):
    """A logout ends it for good."""
    twin = person.twin()
    now.time += IDLE
    response = person.visit(leave)
    assert "Set-Cookie" in response.headers
    assert person.cookie is None
    assert record_of(watched, twin.cookie).ended
    assert state(twin) == (False, None, None)


def test_it_is_a_device(person, ada, now):
    """It is listed, and can be ended from elsewhere."""
    now.time += IDLE
    other = Person(person.app)
    other.post("/login", user=ada)
    assert len(other.visit(lambda: sessions_of(ada)).result) == 2
    assert person.visit(lambda: sessions_of(ada)).result[-1].is_current
    assert other.visit(lambda: end_user(ada)).result == 2
    assert state(person) == (False, None, None)


def test_it_counts(bank, ada, now):
    """It counts as one of the user's sessions."""
    store = bank.session_interface.store
    policy = Policy(
        idle=timedelta(hours=1),
        absolute=timedelta(days=1),
        on_idle=Policy.aal2().on_idle,
        max_per_user=1,
    )
    app = make_site(store, policy)
    first, second = Browser(app), Browser(app)
    first.log_in(ada)
    now.time += IDLE

    def log_in():
        with pytest.raises(TooManySessions):
            session.log_in(ada, refuse_beyond_max=True)

    assert second.visit(log_in).status_code == 200
    second.log_in(ada)
    assert state(first) == (False, None, None)


def test_sudo_mode(person, ada, now):
    """require_fresh lets nobody in whose session is withheld, and says who is to authenticate."""
    assert person.form("/limits").text == "limits"
    now.time += IDLE
    assert person.form("/limits").location == f"/confirm?user={ada}"
    person.post("/confirm", password=PASSWORD)
    assert person.form("/limits").text == "limits"


def test_nobodys_session_is_over(bank, now):
    """A session without a user is over after the idle time: there is nobody to authenticate."""
    visitor = Person(bank)
    visitor.put(cart=1)
    now.time += IDLE
    assert state(visitor) == (False, None, None)
    assert visitor.contents() == {}


def test_nobodys_session_from_before(store, now):
    """So is one that began under a policy with a longer idle time."""
    before = Browser(make_site(store))
    before.put(cart=1)
    visitor = Browser(
        make_site(store, replace(Policy.aal2(), cookie=CookiePolicy())), before.cookie
    )
    now.time += IDLE - 1
    assert visitor.get("cart") == 1
    now.time += IDLE + 1
    assert state(visitor) == (False, None, None)
    assert visitor.visit(lambda: session.new).result is True


def test_nothing_is_withheld_at_level_3(store, ada, now):
    """At aal3 a session that was idle is over."""
    browser = Browser(make_site(store, Policy.aal3()))
    browser.log_in(ada)
    now.time += 15 * 60
    assert state(browser) == (False, None, None)


def test_a_renewal_is_not_withheld(person, now, events):
    """A withheld session gets no new token until its user has authenticated."""
    token = person.cookie
    now.time += IDLE
    events.clear()
    person.put(a=1)
    person.form("/balance")
    assert person.cookie == token
    assert "regenerated" not in {event.name for event in events}
    assert ("loaded", "withheld") in {(event.name, event.why) for event in events}
