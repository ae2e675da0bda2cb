"""What others fell into, by its number there, of signing in, timeouts, renewal and cookies."""

# ruff: noqa: PLW0108 - `session` has its methods inside of a request alone

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import flask
import pytest
from visits import (
    AWAY,
    Browser,
    Watched,
    cookies_set,
    make_site,
    record_of,
    says_nothing_of_cookies,
)

from holdfast import CookiePolicy, Policy
from holdfast.flask import end_session, end_user, session, sessions_of
from holdfast.stores.memory import MemoryStore

HOUR = 3600
PRESETS = {
    # After how many seconds a token is replaced.
    "secure": HOUR,
    "aal1": HOUR,
    "aal2": HOUR // 4,
    "aal3": HOUR // 12,
}


def log_in():
    session.log_in("ada", methods=["password"])


@pytest.fixture
def secure(watched):
    """Return a browser of an application with Policy.secure(), on a store that is watched."""
    return Browser(make_site(watched, Policy.secure()))


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_renew(watched, now, preset):
    """A token is replaced after an hour; at level 2 after 15 minutes, at level 3 after five."""
    browser = Browser(make_site(watched, getattr(Policy, preset)()))
    browser.visit(log_in)
    now.time += PRESETS[preset] - 1
    assert says_nothing_of_cookies(browser.visit(lambda: session.user_id))
    now.time += 1
    assert cookies_set(browser.visit(lambda: session.user_id), browser.name)


STATES = {
    # For how many seconds somebody who logged in was away.
    "signed in": 0,
    "withheld": HOUR,
    "over": 24 * HOUR,
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("twice", [False, True])
def test_asvs_7_4_4_a_logout_from_every_page(local_ending_place, now, state, twice):
    """ASVS 7.4.4: log_out() does what it says whoever is there, also in a second tab."""
    browser = Browser(local_ending_place.site(Policy.aal2()))
    browser.visit(log_in)
    tab = browser.twin()
    now.time += STATES[state]
    response = browser.visit(lambda: session.log_out())
    if twice:
        browser, response = tab, tab.visit(lambda: session.log_out())
    assert response.headers["Clear-Site-Data"] == '"cache", "storage"'
    facts = browser.visit(lambda: (dict(session), session.needs_reauthentication)).result
    assert facts == ({}, False)
    assert tab.contents() == {}


def test_traps_3_ended_in_flight(local_ending_place, ada):
    """TRAPS 3: ended while a request is in flight, whose answer says nothing of the cookie."""
    browser = Browser(local_ending_place.site(Policy.secure()))
    browser.log_in(ada)
    token = browser.cookie
    user_id = ada

    def write():
        session["seen"] = 1
        with browser.app.app_context():
            end_user(user_id)
        session["late"] = 1

    assert says_nothing_of_cookies(browser.visit(write))
    assert browser.cookie == token
    assert Browser(browser.app, token).contents() == {}


FAILURES = {
    "an error": lambda: 1 / 0,
    "an answer": lambda: flask.abort(503),
}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("arrives", [True, False])
def test_traps_4_a_renewal_with_an_error(local_place, now, failure, arrives):
    """TRAPS 4: a 5xx answer of a renewal loses neither token: the new one opens it, or the old."""
    browser = Browser(local_place.site(Policy.secure()))
    browser.visit(log_in)
    old = browser.cookie
    now.time += HOUR

    def fail():
        assert session.user_id == "ada"
        session["tried"] = session.get("tried", 0) + 1
        FAILURES[failure]()

    response = browser.visit(fail)
    assert response.status_code >= 500
    assert len(cookies_set(response, browser.name)) == 1
    if not arrives:
        browser.cookie = old
    assert browser.user() == "ada"


@pytest.mark.parametrize("operation", ["load", "save"])
@pytest.mark.parametrize("how", ["fails", "loses"])
def test_traps_4_a_renewal_in_an_outage(secure, watched, now, operation, how):
    """TRAPS 4: if it is the store that fails, performed or not, the old token goes on."""
    secure.visit(log_in)
    old = secure.cookie
    now.time += HOUR
    setattr(watched, how, lambda name: AWAY if name == operation else None)
    response = secure.visit(lambda: session.user_id)
    assert response.status_code == 503 or (operation, response.result) == ("save", "ada")
    assert says_nothing_of_cookies(response)
    setattr(watched, how, lambda name: None)
    assert secure.cookie == old
    assert secure.user() == "ada"


def test_traps_5_no_rotation_moves_the_end(watched, now):
    """TRAPS 5: renewals, regenerations and confirmations by one of two leave beginning and end."""
    browser = Browser(make_site(watched, Policy.aal2()))
    browser.visit(lambda: session.log_in("ada", methods=["password", "totp"]))
    before = record_of(watched, browser.cookie)
    for rotate in (
        lambda: session.user_id,
        lambda: session.regenerate(),
        lambda: session.reauthenticated(["totp"]),
    ):
        now.time += HOUR // 2
        token = browser.cookie
        browser.visit(rotate)
        after = record_of(watched, browser.cookie)
        assert browser.cookie != token
        assert (after.created, after.expires) == (before.created, before.expires)


ROTATIONS = {
    "log_in()": log_in,
    "log_in() of another": lambda: session.log_in("eve"),
    "reauthenticated()": lambda: session.reauthenticated(["password"]),
    "regenerate()": lambda: session.regenerate(),
    "log_out()": lambda: session.log_out(),
}


@pytest.mark.parametrize("rotation", ROTATIONS)
def test_traps_6_no_grace_across_them(local_ending_place, now, rotation):
    """TRAPS 6: whatever changes what a token may do leaves no grace to any older one."""
    browser = Browser(local_ending_place.site(Policy.secure()))
    browser.visit(log_in)
    tabs = [browser.twin()]
    now.time += HOUR
    browser.visit(lambda: session.user_id)
    tabs.append(browser.twin())
    browser.visit(ROTATIONS[rotation])
    assert [tab.contents() for tab in tabs] == [{}, {}]


USES = ROTATIONS | {
    "a look": lambda: session.get("a"),
    "a write": lambda: session.update(a=1),
    "clear()": lambda: session.clear(),
    "freshness": lambda: session.is_fresh(timedelta(minutes=5)),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("known", [True, False])
def test_traps_11_vary_goes_with_the_cookie(local_place, use, known):
    """TRAPS 11: whatever looks at, sets or deletes it varies by the cookie, and no other page."""
    browser = Browser(local_place.site(Policy.secure()))
    if known:
        browser.visit(log_in)
    action = USES[use] if known or use != "reauthenticated()" else USES["a look"]

    def answer():
        return flask.Response("", headers={"Vary": "Accept-Language"})

    response = browser.visit(action, body=answer)
    assert response.vary.as_set() == {"accept-language", "cookie"}
    untouched = browser.visit(body=answer)
    assert untouched.vary.as_set() == {"accept-language"}
    assert says_nothing_of_cookies(untouched)


COOKIES = {
    "secure()": Policy.secure().cookie,
    "for_domain()": Policy.secure().for_domain("localhost").cookie,
    "for_development()": Policy.secure().for_development().cookie,
    "partitioned": replace(Policy.secure().cookie, same_site="None", partitioned=True),
    "a path": CookiePolicy(name="own", secure=True, same_site="Strict", path="/own"),
}


@pytest.mark.parametrize("cookie", COOKIES)
def test_traps_12_a_deletion_is_of_the_same_cookie(local_place, cookie):
    """TRAPS 12: a deletion repeats name, Domain, Path, Secure, HttpOnly, SameSite, Partitioned."""
    app = local_place.site(Policy(cookie=COOKIES[cookie]))
    browser = Browser(app)
    path = COOKIES[cookie].path
    (begun,) = cookies_set(browser.visit(log_in, path), browser.name)
    (deleted,) = cookies_set(browser.visit(lambda: session.log_out(), path), browser.name)
    times = {"expires", "max-age"}
    kept = {key: value for key, value in deleted.attributes.items() if key not in times}
    assert kept == {key: value for key, value in begun.attributes.items() if key not in times}
    assert {"httponly", "path"} <= kept.keys()
    assert deleted.attributes["max-age"] == "0"
    assert browser.client.get_cookie(browser.name, path=path) is None


@pytest.mark.parametrize("preset", PRESETS)
def test_traps_15_a_cookie_without_an_end(local_place, now, preset):
    """TRAPS 15: one that a client never forgets is over by the record, or by what is inside."""
    policy = getattr(Policy, preset)()
    browser = Browser(local_place.site(policy))
    browser.visit(lambda: (log_in(), setattr(session, "permanent", True)))
    kept = browser.cookie
    now.time += int(policy.absolute.total_seconds())
    assert Browser(browser.app, kept).contents() == {}


def test_traps_16_stored_before_it_is_sent(watched, now):
    """TRAPS 16: when the first byte of a redirect leaves, what it leads to finds the login."""
    app = make_site(watched, Policy.secure())
    browser = Browser(app)
    seen = []

    def body():
        cookie = flask.request.environ["test.cookie"]
        seen.append(Browser(app, cookie()).user())
        yield b""

    def page():
        log_in()
        return flask.Response(flask.stream_with_context(body()), 303, {"Location": "/account"})

    cookies = []

    def remember(response):
        flask.request.environ["test.cookie"] = lambda: cookies[0]
        return response

    app.after_request(remember)
    save = app.session_interface.save_session

    def save_session(app, session, response):
        save(app, session, response)
        cookies.extend(each.value for each in cookies_set(response, browser.name))

    app.session_interface.save_session = save_session
    response = browser.visit(body=page)
    assert response.status_code == 303
    assert seen == ["ada"]


def test_traps_29_the_list_of_a_user_bears_what_is_gone(store, ada, now):
    """TRAPS 29: what is over, ended or another's is passed over by lists, ends and limits."""
    policy = Policy(idle=timedelta(hours=2), max_per_user=3)
    app = make_site(store, policy)
    over, out, lent, here = (Browser(app) for _ in range(4))
    over.log_in(ada)
    now.time += HOUR
    for browser in (out, lent, here):
        browser.log_in(ada)
    out.visit(lambda: session.log_out())
    lent.log_in(f"another {ada}")
    now.time += HOUR
    assert here.user() == ada
    (listed,) = here.visit(lambda: sessions_of(ada)).result
    assert listed.is_current
    with app.app_context():
        assert not end_session(ada, "0" * len(listed.handle))
        assert end_user(ada) == 1
    assert here.user() is None
    assert lent.user() == f"another {ada}"


def test_traps_42_what_fails_is_saved_once(now):
    """TRAPS 42: a login that can't be saved is 503, and the error page saves nothing of it."""
    watched = Watched(MemoryStore(purge_every=None))
    browser = Browser(make_site(watched, Policy.secure()))
    watched.fails = lambda name: AWAY if name == "create" else None
    response = browser.visit(log_in)
    assert response.status_code == 503
    assert says_nothing_of_cookies(response)
    assert watched.asked.count("create") == 1
    watched.switch(off=False)
    assert browser.user() is None
    browser.visit(log_in)
    assert browser.user() == "ada"
