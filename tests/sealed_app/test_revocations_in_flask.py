"""Sessions in sealed cookies that are ended on the server, on every store.

Two applications stand for two processes: they share the secret and the store, and no memory.
"""

# ruff: noqa: PLW0108 - `session` has its methods inside of a request alone

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import flask
import pytest
from sealed_sites import sealed_site
from visits import Browser, at_once, cookies_set, says_nothing_of_cookies

from holdfast import ConfigurationError, NotSignedIn, Policy
from holdfast.flask import end_all, end_others, end_session, end_user, session, sessions_of
from holdfast.stores.memory import MemoryStore

STALE = 2  # seconds that a process goes on from what it knows
DAY = 86400


@pytest.fixture
def eve(ada):
    """Return the id of another user whom no other test knows."""
    return f"eve-{ada}"


@pytest.fixture
def site(store, events, now):
    """Return an application whose sealed sessions can be ended, on each store in turn."""
    return sealed_site(revocations=store, listeners=[events.append])


@pytest.fixture
def elsewhere(store, now):
    """Return another process of it."""
    return sealed_site(revocations=store)


@pytest.fixture
def two(site, elsewhere):
    """Return both processes."""
    return site, elsewhere


def signed_in(app, user):
    browser = Browser(app)
    browser.log_in(user, "password")
    assert browser.user() == user
    return browser


def at(app, browser):
    """Return another browser with the same cookie, which visits another process."""
    return Browser(app, browser.cookie)


# Logging out


@pytest.mark.parametrize("leave", ["log_out", "clear", "pop"])
def test_logging_out(site, elsewhere, ada, now, leave):
    """A logout ends every copy of the cookie: at once here, and within the bound elsewhere."""
    browser = signed_in(site, ada)
    copy, other = browser.twin(), at(elsewhere, browser)
    assert other.user() == ada
    actions = {
        "log_out": lambda: session.log_out(),
        "clear": lambda: session.clear(),
        "pop": lambda: session.pop("_user_id") and None,
    }
    (cookie,) = cookies_set(browser.visit(actions[leave]))
    assert cookie.value == ""
    assert copy.user() is None
    assert copy.visit(lambda: session.new).result is True
    now.time += STALE
    assert other.user() is None
    for later in (100, DAY, 30 * DAY):
        now.time += later
        assert (copy.user(), other.user()) == (None, None)


def test_a_logout_spares_others(site, ada):
    """Other sessions of the same user go on, and so do other users."""
    browser, phone = signed_in(site, ada), signed_in(site, ada)
    browser.visit(lambda: session.log_out())
    assert phone.user() == ada


def test_logging_out_by_an_older_cookie(site, elsewhere, ada, now):
    """Whoever ever had a cookie of a session can log it out, though it opens nothing any more."""
    for app, later in ((site, 0), (elsewhere, 0), (site, 100)):
        browser = signed_in(site, ada)
        tab = at(app, browser)
        browser.visit(lambda: session.reauthenticated(["password"]))
        assert browser.user() == ada
        now.time += later
        (cookie,) = cookies_set(tab.visit(lambda: session.log_out()))
        assert cookie.value == ""
        now.time += STALE
        assert browser.user() is None


def test_logging_out_and_in_again(site, elsewhere, ada):
    """After a logout the user logs in again at once, in the same browser and in any process."""
    browser = signed_in(site, ada)
    for app in (site, elsewhere, site):
        browser.visit(lambda: session.log_out())
        browser = Browser(app)
        browser.log_in(ada)
        assert browser.user() == ada
        assert at(site, browser).user() == at(elsewhere, browser).user() == ada


def test_a_late_request(site, ada, events):
    """What a request of before the logout writes is dropped; it sets no cookie and deletes none."""
    browser = signed_in(site, ada)
    tab, other = browser.twin(), browser.twin()

    def slow():
        session.get("a")
        assert other.visit(lambda: session.log_out()).status_code == 200
        session["a"] = 1

    events.clear()
    response = tab.visit(slow)
    assert response.status_code == 200
    assert says_nothing_of_cookies(response)
    assert "dropped" in [event.name for event in events]
    late = browser.visit(lambda: session.update(b=2))
    assert says_nothing_of_cookies(late)
    assert browser.contents() == {}


def test_a_login_is_never_dropped(site, ada, eve):
    """Who logs in while the session that they had is ended is logged in."""
    browser = signed_in(site, ada)
    other = browser.twin()

    def slow():
        session.get("a")
        assert other.visit(lambda: session.log_out()).status_code == 200
        session.log_in(eve)

    assert len(cookies_set(browser.visit(slow))) == 1
    assert browser.contents() == {"_user_id": eve}


CHANGES = {
    "log in": lambda: session.log_in("somebody"),
    "log in again": lambda: session.log_in(session.user_id, ["passkey"]),
    "authenticate": lambda: session.reauthenticated(["password"]),
    "regenerate": lambda: session.regenerate(),
    "user left": lambda: (session.update(a=1), session.pop("_user_id")),
    "cleared": lambda: (session.clear(), session.update(a=1)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_older_cookies_die(site, elsewhere, ada, now, change):
    """Whoever logs in, leaves or authenticates ends all cookies of before, and has a good one."""
    browser = signed_in(site, ada)
    old, other = browser.twin(), at(elsewhere, browser)
    assert other.user() == ada
    assert len(cookies_set(browser.visit(change))) == 1
    contents = browser.contents()
    assert contents
    assert old.contents() == {}
    now.time += STALE
    assert other.contents() == {}
    assert browser.contents() == at(elsewhere, browser).contents() == contents


@pytest.mark.parametrize("change", ["authenticate", "regenerate", "user left"])
@pytest.mark.parametrize("end", ["log_out", "end_user", "end_all"])
def test_a_stale_process_revives_nothing(two, ada, now, change, end):
    """A process that does not know of the end yet gives nobody a cookie that outlives it."""
    site, elsewhere = two
    browser = signed_in(site, ada)
    thief = at(elsewhere, browser)
    assert thief.user() == ada
    ends = {
        "log_out": lambda: session.log_out(),
        "end_user": lambda: end_user(ada),
        "end_all": lambda: end_all(),
    }
    assert browser.visit(ends[end]).status_code == 200
    thief.visit(CHANGES[change])
    now.time += STALE
    for app in (site, elsewhere):
        assert at(app, thief).contents() == {}


# Ending all of a user's


def test_ending_a_user(site, elsewhere, ada, eve, now):
    """end_user() ends all of a user's sessions, on all devices, and nobody else's."""
    here, phone = signed_in(site, ada), signed_in(elsewhere, ada)
    others = signed_in(site, eve)
    assert Browser(site).visit(lambda: end_user(ada)).result is None
    assert here.user() is None
    now.time += STALE
    assert at(site, phone).user() is None
    assert phone.user() is None
    assert at(elsewhere, here).user() is None
    assert others.user() == at(elsewhere, others).user() == eve
    now.time += 30 * DAY
    assert (here.user(), phone.user()) == (None, None)


@pytest.mark.parametrize("where", [0, 1], ids=["here", "elsewhere"])
@pytest.mark.parametrize("end", [end_user, lambda _user: end_all()], ids=["end_user", "end_all"])
def test_logging_in_again_at_once(two, ada, now, where, end):
    """Who was logged out everywhere logs in again in the same second, in any process, for good."""
    site, elsewhere = two
    app = two[where]
    before = signed_in(elsewhere, ada)
    for _ in range(3):
        Browser(site).visit(lambda: end(ada))
        again = Browser(app)
        again.log_in(ada)
        assert again.user() == ada
        assert at(site, again).user() == ada
    for later in (1, STALE, 100):
        now.time += later
        assert again.user() == at(site, again).user() == at(elsewhere, again).user() == ada
    assert before.user() is None


@pytest.mark.parametrize("first", [end_user, lambda _user: end_all()], ids=["end_user", "end_all"])
@pytest.mark.parametrize("second", [end_user, lambda _user: end_all()], ids=["end_user", "end_all"])
def test_ending_twice_in_a_second(two, ada, now, first, second):
    """What was logged in between two endings in one second ends by the second one."""
    site, elsewhere = two
    Browser(site).visit(lambda: first(ada))
    between = Browser(site)
    between.log_in(ada)
    assert between.user() == ada
    Browser(elsewhere).visit(lambda: second(ada))
    now.time += STALE
    assert between.user() is None
    assert at(elsewhere, between).user() is None


def test_ending_a_user_whose_session_is_withheld(store, ada, now):
    """A session that waits for its user to authenticate again is ended as any other."""
    policy = Policy.aal2()
    site = sealed_site(policy, revocations=store)
    browser, left = signed_in(site, ada), signed_in(site, ada)
    now.time += 3600
    copy = left.twin()
    assert browser.visit(lambda: session.withheld_user_id).result == ada
    left.visit(lambda: session.log_out())
    assert copy.visit(lambda: session.needs_reauthentication).result is False
    assert browser.visit(lambda: session.needs_reauthentication).result is True
    Browser(site).visit(lambda: end_user(ada))
    assert browser.visit(lambda: session.needs_reauthentication).result is False
    assert browser.visit(lambda: session.new).result is True


def test_ending_others(site, elsewhere, ada, eve, now):
    """end_others() leaves the session that asks, under another cookie, and ends the rest."""
    here, phone = signed_in(site, ada), signed_in(elsewhere, ada)
    stranger = signed_in(site, eve)
    copy = here.twin()
    here.put(a=1)
    response = here.visit(lambda: end_others())
    assert response.result is None
    assert len(cookies_set(response)) == 1
    assert here.contents() == {"_user_id": ada, "a": 1}
    assert copy.user() is None
    now.time += STALE
    assert phone.user() is None
    assert at(site, phone).user() is None
    assert here.user() == at(elsewhere, here).user() == ada
    assert stranger.user() == eve


def test_ending_others_takes_a_user(site):
    """Nobody's session has no others."""
    browser = Browser(site)

    def page():
        with pytest.raises(NotSignedIn):
            end_others()

    assert browser.visit(page).status_code == 200


def test_changing_the_password(site, elsewhere, ada, now):
    """As a password form does: authenticate, end the others, write; all in one request."""
    here, thief = signed_in(site, ada), signed_in(elsewhere, ada)

    def change():
        session.reauthenticated(["password"])
        end_others()
        session["message"] = "changed"

    assert here.visit(change).status_code == 200
    now.time += STALE
    assert thief.user() is None
    assert here.get("message") == "changed"
    assert here.visit(lambda: session.is_fresh(timedelta(minutes=1), ["password"])).result
    again = signed_in(elsewhere, ada)
    assert at(site, again).user() == ada


def test_who_was_ended_ends_no_others(site, ada):
    """A session that was ended meanwhile does not survive by ending the others itself."""
    here, thief = signed_in(site, ada), signed_in(site, ada)

    def slow():
        assert session.user_id == ada
        assert here.visit(lambda: end_others()).status_code == 200
        end_others()

    thief.visit(slow)
    assert thief.user() is None


def test_ending_all(site, elsewhere, ada, eve, now):
    """end_all() ends everybody's sessions, those of nobody too; new ones begin at once."""
    first, second, anonymous = signed_in(site, ada), signed_in(elsewhere, eve), Browser(elsewhere)
    anonymous.put(cart=["book"])
    assert Browser(site).visit(lambda: end_all()).result is None
    now.time += STALE
    for browser in (first, second, anonymous):
        assert browser.contents() == {}
        assert at(site, browser).contents() == {}
        assert at(elsewhere, browser).contents() == {}
    new = Browser(elsewhere)
    new.put(cart=["pen"])
    assert at(site, new).contents() == new.contents() == {"cart": ["pen"]}
    assert signed_in(site, ada).user() == ada


def test_nobodys_session_can_be_ended_too(site, elsewhere, now):
    """clear() ends a session without a user as well."""
    browser = Browser(site)
    browser.put(cart=["book"])
    copy = at(elsewhere, browser)
    browser.visit(lambda: session.clear())
    now.time += STALE
    assert copy.contents() == {}


def test_many_at_once(store, ada):
    """Ten logouts and endings at once are answered, and everything is over."""
    site = sealed_site(revocations=store)
    browsers = [signed_in(site, ada) for _ in range(4)]
    first = browsers[0]

    def log_out(browser):
        return browser.visit(lambda: session.log_out()).status_code

    def end():
        return Browser(site).visit(lambda: end_user(ada)).status_code

    twins = [first.twin() for _ in range(4)]
    calls = [lambda twin=twin: log_out(twin) for twin in twins]
    statuses = at_once(*calls, *[end] * 3)
    # Who sets one limit again and again at once may be told to try again.
    assert set(statuses) <= {200, 503}
    assert 200 in statuses[4:]
    assert [browser.user() for browser in browsers] == [None] * 4
    assert signed_in(site, ada).user() == ada


# For how long


def test_it_is_remembered_for_as_long_as_it_has_to_be(store, ada, now):
    """A cookie stays ended until it would have expired, also when the store is cleaned up."""
    policy = Policy(idle=timedelta(hours=1), absolute=timedelta(days=1))
    site, elsewhere = (sealed_site(policy, revocations=store) for _ in range(2))
    browser, other = signed_in(site, ada), signed_in(site, ada)

    def remember():
        session.lifetime = timedelta(hours=20)
        return session.user_id

    assert other.visit(remember).result == ada
    kept = Browser(site, other.cookie)
    browser.visit(lambda: session.log_out())
    other.visit(lambda: session.log_out())
    for _ in range(24):
        now.time += 3600 - 1
        if hasattr(store, "purge"):
            store.purge(now.time, limit=1000)
        for app in (site, elsewhere):
            assert at(app, kept).user() is None


def test_a_lifetime_is_no_longer_than_the_memory(ada):
    """Without an absolute time no session may outlive what is remembered of its end."""
    site = sealed_site(Policy(idle=timedelta(hours=1)), revocations=MemoryStore(purge_every=None))

    def page():
        with pytest.raises(ConfigurationError, match="lifetime"):
            session.lifetime = timedelta(hours=2)

    assert Browser(site).visit(page).status_code == 200


# What is asked of the store


@pytest.fixture
def quiet(watched, now):
    """Return a browser that is signed in, of a process that has just asked."""
    browser = signed_in(sealed_site(revocations=watched), "ada")
    watched.taken()
    return SimpleNamespace(browser=browser, watched=watched, now=now)


def test_nothing_is_asked_within_the_bound(quiet):
    """For two seconds after it asked, a process asks nothing more for a session that it knows."""
    for _ in range(20):
        assert quiet.browser.user() == "ada"
        quiet.browser.put(a=1)
    assert quiet.watched.taken() == []
    quiet.now.time += STALE - 1
    assert quiet.browser.user() == "ada"
    assert quiet.watched.taken() == []
    quiet.now.time += 1
    for _ in range(20):
        assert quiet.browser.user() == "ada"
    assert quiet.watched.taken() == ["load"] * 3, "the session, its user and everybody"


def test_what_is_known_is_shared(quiet):
    """What it knows of a user and of everybody serves all their sessions."""
    other = signed_in(quiet.browser.app, "ada")
    quiet.watched.taken()
    quiet.now.time += STALE
    for browser in (quiet.browser, other, other.twin()):
        assert browser.user() == "ada"
    assert quiet.watched.taken() == ["load"] * 4
    anonymous = Browser(quiet.browser.app)
    anonymous.put(a=1)
    assert anonymous.get("a") == 1
    assert quiet.watched.taken() == ["load"], "its own; everybody's limit is known"


def test_what_each_step_costs(quiet):
    """A login, a logout and end_user() take a few round trips, and no step takes a scan."""
    watched, browser = quiet.watched, quiet.browser
    browser.visit(lambda: session.log_out())
    costs = {"log out": watched.taken()}
    browser.log_in("ada")
    costs["log in"] = watched.taken()
    browser.visit(lambda: session.reauthenticated(["password"]))
    costs["authenticate"] = watched.taken()
    browser.visit(lambda: end_user("ada"))
    costs["end user"] = watched.taken()
    for name, asked in costs.items():
        assert len(asked) <= 5, (name, asked)
    assert costs["log out"] == ["create"]
    assert costs["log in"] == ["load", "load"]
    assert not {"by_user", "page", "cap"} & set().union(*costs.values())


def test_unused_sessions_ask_nothing(quiet):
    """A page that does not look at its session asks nothing, however long nobody asked."""
    quiet.now.time += 100
    assert quiet.browser.visit().status_code == 200
    assert quiet.watched.taken() == []


def test_without_a_cookie_nothing_is_asked(quiet):
    """Who has no cookie, or a bad one, costs no round trip."""
    for cookie in (None, "nonsense", quiet.browser.cookie[:-2]):
        browser = Browser(quiet.browser.app, cookie)
        assert browser.contents() == {}
    assert quiet.watched.taken() == []


@pytest.mark.parametrize("seconds", [1, 5])
def test_the_bound_is_the_policys(watched, now, seconds):
    """revocation_max_age says for how long."""
    policy = Policy(revocation_max_age=timedelta(seconds=seconds))
    here, there = (sealed_site(policy, revocations=watched) for _ in range(2))
    browser = signed_in(here, "ada")
    other = at(there, browser)
    assert other.user() == "ada"
    browser.visit(lambda: session.log_out())
    now.time += seconds - 1
    assert other.user() == "ada"
    now.time += 1
    assert other.user() is None


def test_nothing_of_a_user_is_in_the_store(ada, now):
    """The store gets no user id, no contents and no cookie: only ids and times."""
    kept = []

    class Noting(MemoryStore):
        def create(self, record):
            kept.append(record)
            return super().create(record)

        save = create

    browser = signed_in(sealed_site(revocations=Noting(purge_every=None)), ada)
    cookie = browser.cookie
    browser.visit(lambda: end_others())
    browser.visit(lambda: session.log_out())
    assert len(kept) >= 2
    for record in kept:
        assert (record.data, record.secret, record.user_id) == (b"", b"", None)
        assert ada not in repr(record)
        assert cookie[:20] not in repr(record)


# Commands


def run(app, *command):
    result = app.test_cli_runner().invoke(args=["sessions", *command])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_commands(site, elsewhere, ada, eve, now):
    """The commands end-user and end-all end sessions in cookies; they don't say how many."""
    first, second = signed_in(elsewhere, ada), signed_in(elsewhere, eve)
    assert run(site, "end-user", ada) == "Ended.\n"
    now.time += STALE
    assert (first.user(), second.user()) == (None, eve)
    assert run(site, "end-all", "--yes") == "Ended.\n"
    now.time += STALE
    assert second.user() is None


def test_the_command_to_purge(local_store, ada, now):
    """The command purge removes what need be remembered no more, and nothing else."""
    policy = Policy(idle=timedelta(hours=1), absolute=timedelta(hours=2))
    site = sealed_site(policy, revocations=local_store)
    now.time += 10 * 365 * DAY  # what other tests left is over
    run(site, "purge")
    browser = signed_in(site, ada)
    copy = browser.twin()
    browser.visit(lambda: session.log_out())
    assert run(site, "purge").endswith("0 removed.\n")
    assert copy.user() is None
    now.time += 3 * 3600
    assert run(site, "purge").endswith("1 removed.\n")
    assert copy.user() is None


@pytest.mark.parametrize(
    "ask", [lambda: sessions_of("ada"), lambda: end_session("ada", "handle")], ids=["list", "end"]
)
def test_nothing_is_listed(watched, ask):
    """Sessions in cookies are listed nowhere; the message names a store."""
    browser = signed_in(sealed_site(revocations=watched), "ada")

    def page():
        with pytest.raises(ConfigurationError, match=r"listed nowhere.*in a store"):
            ask()

    assert browser.visit(page).status_code == 200
    result = browser.app.test_cli_runner().invoke(args=["sessions", "list", "ada"])
    assert result.exit_code == 1
    assert "listed nowhere" in result.output


# Saving twice, and error pages


def test_logging_in_and_saving_twice(quiet):
    """A login that is saved for a second response is one login, with one cookie."""
    browser, again = quiet.browser, flask.Response()

    def page():
        app = flask.current_app._get_current_object()
        session.log_in("eve")
        app.session_interface.save_session(app, session._get_current_object(), again)

    last = browser.visit(page)
    (first,), (second,) = cookies_set(again), cookies_set(last)
    assert first.value == second.value
    assert browser.user() == "eve"


def test_logging_out_before_an_error(quiet):
    """A logout in a view that fails afterwards is one."""
    copy = quiet.browser.twin()

    def fail():
        session.log_out()
        raise RuntimeError

    response = quiet.browser.visit(fail)
    assert response.status_code == 500
    assert [cookie.value for cookie in cookies_set(response)] == [""]
    assert copy.user() is None
