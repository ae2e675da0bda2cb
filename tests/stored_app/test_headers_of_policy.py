"""What responses say to caches and browsers, by policy: Cache-Control, Clear-Site-Data, Vary."""

# ruff: noqa: PLW0108 - `session` has its methods inside of a request alone

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import flask
import pytest
from visits import SECRET, Browser, make_app, make_site, says_nothing_of_cookies, signed_cookie

from holdfast import Policy
from holdfast.flask import Holdfast, session
from holdfast.stores.memory import MemoryStore

PRESETS = {
    "flask": None,
    "secure": '"storage"',
    "aal1": '"cache", "storage"',
    "aal2": '"cache", "storage"',
    "aal3": '"cache", "storage"',
}


@pytest.fixture
def secure(watched):
    """Return a browser of an application with Policy.secure()."""
    return Browser(make_site(watched, Policy.secure()))


def log_in():
    session.log_in("ada", methods=["password"])


# Cache-Control


SETTING = {
    # What sets or deletes the cookie, of who is logged in.
    "a login": log_in,
    "a reauthentication": lambda: session.reauthenticated(),
    "a regeneration": lambda: session.regenerate(),
    "log_out()": lambda: session.log_out(),
    "clear()": lambda: session.clear(),
    "another user": lambda: session.log_in("eve"),
    "a new session": lambda: (session.clear(), session.update(a=1)),
}
LEAVING = {
    "nothing": lambda: None,
    "a look": lambda: session.get("a"),
    "a write": lambda: session.update(a=1),
    "polling": lambda: setattr(session, "is_activity", False),
}


@pytest.mark.parametrize("action", SETTING)
def test_no_store_with_the_cookie(secure, action):
    """What sets or deletes the cookie must not be kept by caches."""
    secure.visit(log_in)
    response = secure.visit(SETTING[action])
    assert "Set-Cookie" in response.headers
    assert response.headers.getlist("Cache-Control") == ["no-store"]
    assert response.headers["Vary"] == "Cookie"


@pytest.mark.parametrize("action", LEAVING)
def test_no_header_without_the_cookie(secure, action):
    """A response that leaves the cookie alone is for the application to say."""
    secure.visit(log_in)
    response = secure.visit(LEAVING[action])
    assert says_nothing_of_cookies(response)
    assert "Cache-Control" not in response.headers


def test_a_renewal_is_not_kept(secure, now):
    """A cookie that is renewed by the way, in a page that only reads, counts too."""
    secure.visit(log_in)
    now.time += 3600
    response = secure.visit(lambda: session.get("a"))
    assert "Set-Cookie" in response.headers
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("own", ["private, max-age=60", "public", "", "no-cache"])
def test_the_applications_header_stays(secure, own):
    """A Cache-Control of the application's own is never changed, not even an empty one."""

    def answer():
        response = flask.Response("")
        response.headers["Cache-Control"] = own
        return response

    response = secure.visit(log_in, body=answer)
    assert "Set-Cookie" in response.headers
    assert response.headers.getlist("Cache-Control") == [own]


def test_a_header_that_comes_last(watched):
    """after_request functions have spoken before it is looked at."""
    app = make_site(watched, Policy.secure())

    @app.after_request
    def own(response):
        response.cache_control.private = True
        return response

    assert Browser(app).visit(log_in).headers.getlist("Cache-Control") == ["private"]


@pytest.mark.parametrize("no_store", [True, False])
@pytest.mark.parametrize("stored", [True, False])
def test_by_policy(no_store, stored):
    """`no_store` decides, for signed cookies too."""
    app = make_app(SECRET_KEY=SECRET)
    Holdfast(app, store="memory://" if stored else None, policy=Policy(no_store=no_store))
    browser = Browser(app)
    expected = "no-store" if no_store else None
    assert browser.put(a=1).headers.get("Cache-Control") == expected
    assert browser.get("a") == 1
    response = browser.clear()
    assert "Set-Cookie" in response.headers
    assert response.headers.get("Cache-Control") == expected


def test_an_error_page(watched):
    """An error page that sets the cookie is not kept either."""
    app = make_site(watched, Policy.secure())

    def fail():
        log_in()
        flask.abort(403)

    response = Browser(app).visit(fail)
    assert response.status_code == 403
    assert "Set-Cookie" in response.headers
    assert response.headers["Cache-Control"] == "no-store"


# Clear-Site-Data


@pytest.mark.parametrize("name", PRESETS)
def test_what_a_preset_clears(name):
    """log_out() has the browser forget what the preset says."""
    browser = Browser(make_site(MemoryStore(), getattr(Policy, name)()))
    assert "Clear-Site-Data" not in browser.visit(log_in).headers
    response = browser.visit(lambda: session.log_out())
    assert response.headers.get("Clear-Site-Data") == PRESETS[name]
    assert "Clear-Site-Data" not in browser.visit(lambda: session.get("a")).headers


@pytest.mark.parametrize(
    ("stated", "header"),
    [
        (("cache", "cookies", "storage"), '"cache", "cookies", "storage"'),
        (("*",), '"*"'),
        (("executionContexts",), '"executionContexts"'),
    ],
)
def test_what_a_policy_clears(watched, stated, header):
    """It says what the policy states, each in quotes."""
    browser = Browser(make_site(watched, Policy(clear_site_data=stated)))
    browser.visit(log_in)
    assert browser.visit(lambda: session.log_out()).headers["Clear-Site-Data"] == header


def test_only_log_out_clears(secure):
    """clear() and popping the user end or leave a session, and say nothing to the browser."""
    for leave in (lambda: session.clear(), lambda: session.pop("_user_id")):
        secure.visit(log_in)
        assert "Clear-Site-Data" not in secure.visit(leave).headers


def test_logging_out_twice(secure):
    """A logout of who is out already, as from another tab, clears what this tab has too."""
    secure.visit(log_in)
    twin = secure.twin()
    secure.visit(lambda: session.log_out())
    response = twin.visit(lambda: session.log_out())
    assert says_nothing_of_cookies(response)
    assert response.headers["Clear-Site-Data"] == '"storage"'


def test_the_applications_clear_site_data_stays(secure):
    """A Clear-Site-Data of the application's own is not changed."""
    secure.visit(log_in)

    def answer():
        return flask.Response("", headers={"Clear-Site-Data": '"cache"'})

    response = secure.visit(lambda: session.log_out(), body=answer)
    assert response.headers.getlist("Clear-Site-Data") == ['"cache"']


def test_a_logout_that_failed(watched):
    """Where the store could not end the session, nothing is cleared: nobody has logged out."""
    browser = Browser(make_site(watched, Policy.secure()))
    browser.visit(log_in)
    watched.switch(off=True)
    response = browser.visit(lambda: session.log_out())
    assert response.status_code == 503
    assert "Clear-Site-Data" not in response.headers


# Vary


FACTS = (
    "user_id",
    "handle",
    "created",
    "last_seen",
    "new",
    "permanent",
    "lifetime",
    "authenticated_at",
    "methods",
    "needs_reauthentication",
    "withheld_user_id",
)


@pytest.mark.parametrize("fact", FACTS)
@pytest.mark.parametrize("known", [True, False])
def test_reading_a_fact_varies(secure, fact, known):
    """Whatever a page asks of its session, its answer depends on the cookie, and says so."""
    if known:
        secure.visit(log_in)
    response = secure.visit(lambda: getattr(session, fact))
    assert response.headers["Vary"] == "Cookie"


def test_asking_for_freshness_varies(secure):
    """So it is with is_fresh()."""
    response = secure.visit(lambda: session.is_fresh(timedelta(minutes=5)))
    assert response.headers["Vary"] == "Cookie"


@pytest.mark.parametrize("policy", ["flask", "secure"])
def test_untouched_pages_do_not_vary(watched, policy):
    """A page that does not use its session has no header of it at all."""
    browser = Browser(make_site(watched, getattr(Policy, policy)()))
    browser.visit(log_in)
    response = browser.visit()
    headers = {"Vary", "Cache-Control", "Set-Cookie", "Clear-Site-Data"}
    assert not headers & set(response.headers.keys())


def test_a_migration_is_not_kept(watched):
    """The answer that turns a signed cookie into a token is not for caches."""
    app = make_app(SECRET_KEY=SECRET)
    policy = Policy(no_store=True)
    soon = datetime.now(UTC) + timedelta(days=1)
    Holdfast(app, store=watched, policy=policy, migrate_until=soon)
    response = Browser(app, signed_cookie({"a": 1})).visit(lambda: session["a"])
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Vary"] == "Cookie"
