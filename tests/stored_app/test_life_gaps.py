"""What no other test of a session's life would have missed."""

# ruff: noqa: PLW0108 - `session` has its methods inside of a request alone

from __future__ import annotations

from datetime import timedelta

import flask
import pytest
from visits import Browser, make_site

from holdfast import ConfigurationError, OnIdle, Policy
from holdfast.flask import session


def test_a_remembered_user_is_not_fresh_by_a_flag(watched, now):
    """That a remembered user is called fresh says not when that was: nobody authenticated."""
    browser = Browser(make_site(watched))
    browser.put(_user_id="ada", _fresh=False)
    now.time += 60
    browser.put(_fresh=True)
    assert browser.visit(lambda: session.authenticated_at).result is None
    assert not browser.visit(lambda: session.is_fresh(timedelta(days=1))).result
    browser.visit(lambda: session.reauthenticated())
    assert browser.visit(lambda: session.authenticated_at.timestamp()).result == now.time


def test_logging_out_after_a_save_by_hand(app, browser):
    """A handler that saves by hand after each message logs its user out in a later one."""
    browser.log_in("ada")
    twin = browser.twin()

    def page():
        held = flask.globals.request_ctx.session

        def save():
            app.session_interface.save_session(app, held, app.response_class())

        held["n"] = 1
        save()
        held.log_out()
        save()

    assert browser.visit(page).status_code == 200
    assert twin.user() is None


@pytest.mark.parametrize("on_idle", OnIdle)
def test_whatever_a_withheld_or_idle_session_is_asked(watched, now, on_idle):
    """Until its user authenticates again, no page moves the time of what was active too long ago.

    Nor does one that says that it is activity, writes, renews or asks for permanence.
    """
    hour = timedelta(hours=1)
    policy = Policy(idle=hour, absolute=4 * hour, on_idle=on_idle, renew_every=hour / 2)
    browser = Browser(make_site(watched, policy))
    browser.visit(lambda: (session.log_in("ada"), session.update(secret=1)))
    kept = browser.cookie
    now.time += 3600
    for ask in (
        lambda: setattr(session, "is_activity", True),
        lambda: session.update(next="/"),
        lambda: setattr(session, "permanent", True),
        lambda: setattr(session, "lifetime", 3 * hour),
        lambda: session.regenerate(),
    ):
        twin = Browser(browser.app, kept)
        twin.visit(lambda ask=ask: (session.get("secret"), ask()))
        assert twin.get("secret") is None
        assert twin.user() is None
        kept = twin.cookie if on_idle is OnIdle.REAUTHENTICATE else kept
    now.time += 3 * 3600
    last = Browser(browser.app, kept)
    assert last.visit(lambda: session.withheld_user_id).result is None


@pytest.mark.parametrize("stated", ["idle", "touch_every"])
def test_reading_is_activity_where_its_times_are_stated(watched, stated):
    """Who states when activity counts or is noted can't have Flask's key say that none does."""
    policy = Policy(**{stated: timedelta(hours=1)})
    with pytest.raises(ConfigurationError, match="take SESSION_REFRESH_EACH_REQUEST out"):
        make_site(watched, policy, SESSION_REFRESH_EACH_REQUEST=False)
    make_site(watched, Policy(absolute=timedelta(hours=1)), SESSION_REFRESH_EACH_REQUEST=False)


def test_a_domain_that_comes_too_late_to_be_refused(watched):
    """A name for one host is never sent with a Domain, with which browsers would drop it."""
    app = make_site(watched, Policy.secure())
    browser = Browser(app)
    browser.visit()
    app.config["SESSION_COOKIE_DOMAIN"] = "example.org"
    for action in (lambda: session.log_in("ada"), lambda: session.log_out()):
        assert "Domain" not in browser.visit(action).headers["Set-Cookie"]
