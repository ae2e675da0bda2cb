"""From signed cookies to stored sessions: nobody is logged out, and nobody logged in again."""

# ruff: noqa: PLW0108 - `session` has its methods inside of a request alone

from __future__ import annotations

import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import flask
import pytest
from flask.sessions import SecureCookieSessionInterface as FlasksInterface
from markupsafe import Markup
from visits import (
    AWAY,
    OTHER_SECRET,
    SECRET,
    Browser,
    Watched,
    cookies_set,
    is_unavailable,
    make_app,
    record_of,
    says_nothing_of_cookies,
    signed_cookie,
)

from holdfast import OnOutage, Policy
from holdfast.core.token import parse
from holdfast.flask import Holdfast, session
from holdfast.stores.memory import MemoryStore

HAS_FALLBACKS = "SECRET_KEY_FALLBACKS" in flask.Flask.default_config
CONTENTS = {
    "user_id": "ada",
    "cart": [(1, "apple"), (2, Markup("<b>pear</b>"))],
    "when": datetime(2026, 1, 2, tzinfo=UTC),
    "raw": b"\x00\xff",
    "deep": {"a": {"b": None}},
}


def migrating(store, listeners=(), until=None, **config):
    """Return an application whose sessions move from signed cookies to a store."""
    app = make_app(**{"SECRET_KEY": SECRET} | config)
    until = until or datetime.now(UTC) + timedelta(days=90)
    Holdfast(app, store=store, migrate_until=until, listeners=listeners)
    return app


@pytest.fixture
def watched(watched_both):
    """Return a store in memory, in one turn to be sealed."""
    return watched_both


@pytest.fixture
def app(watched, events):
    return migrating(watched, [events.append])


@pytest.fixture
def browser(app):
    """Return a browser that has a signed cookie."""
    return Browser(app, signed_cookie(CONTENTS))


@pytest.fixture
def contents():
    """Return contents whose signed cookie no other test has."""
    return CONTENTS | {"nonce": secrets.token_hex(8)}


def is_stored(browser):
    """Return whether a browser has the token of a stored session."""
    return browser.cookie is not None and parse(browser.cookie) is not None


def purge(watched, at):
    """Forget what expired by then."""
    while watched.store.purge(at).removed:
        pass


# Moving


def test_a_look_moves_it(store, contents):
    """What a signed cookie holds is stored when it is looked at, with its types."""
    browser = Browser(migrating(store), signed_cookie(contents))
    assert browser.contents() == contents
    assert is_stored(browser)
    moved = browser.contents()
    assert moved == contents
    assert type(moved["cart"][0]) is tuple
    assert type(moved["cart"][1][1]) is Markup
    assert record_of(store, browser.cookie).user_id == "ada"
    assert browser.visit(lambda: session.new).result is False


def test_the_application_that_moves_is_flasks_own():
    """A cookie that Holdfast's own signed sessions made is moved alike."""
    app = make_app(SECRET_KEY=SECRET)
    Holdfast(app)
    before = Browser(app)
    before.put(**CONTENTS)
    browser = Browser(migrating(MemoryStore()), before.cookie)
    assert browser.contents() == CONTENTS
    assert is_stored(browser)


@pytest.mark.parametrize(
    ("use", "asked", "after"),
    [
        (lambda: session.get("user_id"), ["load", "load", "create", "create"], CONTENTS),
        (
            lambda: session.update(a=1),
            ["load", "load", "create", "create", "save"],
            CONTENTS | {"a": 1},
        ),
        (
            lambda: session["deep"]["a"].update(c=1),
            ["load", "load", "create", "create", "save"],
            CONTENTS | {"deep": {"a": {"b": None, "c": 1}}},
        ),
        (
            lambda: session.update(user_id="bob"),
            ["load", "load", "create", "create", "save"],
            {"user_id": "bob"},
        ),
        (lambda: session.regenerate(), ["load", "load", "create", "create", "save"], CONTENTS),
        (
            lambda: session.apply("n", lambda n: n + 1, 0),
            ["load", "load", "create", "create", "save"],
            CONTENTS | {"n": 1},
        ),
        (
            lambda: (session.clear(), session.update(b=1)),
            ["load", "load", "create", "create", "save"],
            {"b": 1},
        ),
        (
            lambda: [session.pop(key) for key in list(session)],
            ["load", "load", "create", "create", "save"],
            {},
        ),
    ],
)
def test_whatever_the_first_request_does(browser, watched, use, asked, after):
    """The first request that looks moves the session, whatever it does to it."""
    response = browser.visit(use)
    assert response.status_code == 200
    assert len(cookies_set(response)) == 1
    assert watched.taken() == asked
    assert is_stored(browser)
    assert browser.contents() == after


def test_not_looked_at(browser, watched):
    """A request that does not use the session leaves the cookie alone, and costs nothing."""
    before = browser.cookie
    response = browser.visit()
    assert says_nothing_of_cookies(response)
    assert "Vary" not in response.headers
    assert browser.cookie == before
    assert watched.taken() == []


@pytest.mark.parametrize("permanent", [False, True])
def test_permanent_is_kept(app, permanent):
    """A permanent session is permanent afterwards; `_permanent` is no key of the application's."""
    browser = Browser(app, signed_cookie({"a": 1}, permanent=permanent))
    response = browser.visit(lambda: (dict(session), session.permanent))
    assert response.result == ({"a": 1}, permanent)
    assert ("expires" in cookies_set(response)[0].attributes) is permanent
    assert browser.visit(lambda: (dict(session), session.permanent)).result == (
        {"a": 1},
        permanent,
    )


def test_permanent_before_every_request(app, watched):
    """An application that sets `permanent` before every request moves its sessions alike."""
    app.before_request(lambda: setattr(session, "permanent", True))
    browser = Browser(app, signed_cookie({"a": 1}, permanent=True))
    browser.visit()
    assert not is_stored(browser)
    assert watched.taken() == []
    assert browser.contents() == {"a": 1}
    assert is_stored(browser)
    assert browser.contents() == {"a": 1}


def test_a_new_visitor(app, watched):
    """Who has no cookie begins a stored session at once."""
    browser = Browser(app)
    browser.put(a=1)
    assert is_stored(browser)
    assert watched.taken() == ["create"]


def test_stored_sessions_cost_no_more(browser, watched):
    """Once it has moved, a session costs the round trips of any other.

    What is sealed gets another token first, since its first one is made of the signed cookie alone.
    """
    browser.contents()
    watched.taken()
    if browser.app.session_interface.seals:
        browser.get("a")
        browser.get("a")
        assert watched.taken() == ["load", "save"] * 2
    browser.get("a")
    assert watched.taken() == ["load"]
    browser.put(a=1)
    assert watched.taken() == ["load", "save"]
    browser.clear()
    assert watched.taken() == ["retire"]


def test_five_requests_at_once(store, contents):
    """Five requests that bring one signed cookie share one stored session; no write is lost."""
    app = migrating(store)
    cookie = signed_cookie(contents)
    barrier = threading.Barrier(5)

    def visit(number):
        browser = Browser(app, cookie)

        def page():
            session[f"key {number}"] = number
            session.apply("n", lambda n: n + 1, 0)
            barrier.wait(10)

        assert browser.visit(page).status_code == 200
        return browser

    with ThreadPoolExecutor(5) as threads:
        browsers = list(threads.map(visit, range(5)))
    expected = contents | {f"key {number}": number for number in range(5)} | {"n": 5}
    for browser in browsers:
        assert is_stored(browser)
        assert browser.contents() == expected
    assert len({parse(browser.cookie).key for browser in browsers}) == 1


def test_a_tombstone_made_by_another_request(browser, watched):
    """Where another request that joined the move was faster in its last step, nobody is ended."""
    other = browser.twin()

    def the_other_is_faster():
        watched.meanwhile["create"] = lambda: other.visit(lambda: session.update(b=1))

    def page():
        session["a"] = 1
        # Once the record is created, and before its tombstone is.
        watched.meanwhile["create"] = the_other_is_faster

    assert browser.visit(page).status_code == 200
    assert is_stored(browser)
    assert browser.contents() == CONTENTS | {"a": 1, "b": 1}
    assert other.contents() == CONTENTS | {"a": 1, "b": 1}


def test_the_move_between_two_loads(browser, watched):
    """A request that looks while another moves the session finds it moved, not gone."""
    other = browser.twin()

    def the_other_is_faster():
        watched.meanwhile["load"] = lambda: other.visit(lambda: session.update(b=1))

    watched.meanwhile["load"] = the_other_is_faster
    response = browser.visit(lambda: (dict(session), session.update(a=1))[0])
    assert response.result == CONTENTS | {"b": 1}
    assert browser.contents() == CONTENTS | {"a": 1, "b": 1}
    assert other.contents() == CONTENTS | {"a": 1, "b": 1}


def test_readers_at_once_get_one_token(app):
    """Requests that only read, one within the other, set the same token."""
    outer, inner = (Browser(app, signed_cookie(CONTENTS)) for _ in range(2))
    inner.cookie = outer.cookie
    outer.visit(lambda: (dict(session), inner.contents()))
    assert outer.cookie == inner.cookie
    assert is_stored(outer)


def test_a_late_request_with_the_signed_cookie(browser):
    """A request that still brings the signed cookie after the move finds the stored session."""
    late = browser.twin()
    browser.put(a=1)
    assert late.contents() == CONTENTS | {"a": 1}
    assert is_stored(late)
    late.put(b=1)
    assert browser.contents() == CONTENTS | {"a": 1, "b": 1}


def test_the_signed_cookie_after_a_change_of_user(browser, now):
    """After a login as another the signed cookie opens nothing, at once and later."""
    old = browser.twin()
    browser.put(user_id="bob")
    for seconds in (0, 5, 10, 60, 3600):
        now.time += seconds
        assert old.twin().contents() == {}
    assert browser.contents() == {"user_id": "bob"}


# Logging out


@pytest.mark.parametrize("looked", ["never", "before", "in the same request"])
def test_logged_out_for_good(store, looked, contents):
    """After a logout the signed cookie, presented again, logs nobody in."""
    app = migrating(store)
    browser = Browser(app, signed_cookie(contents))
    old = browser.twin()
    if looked == "before":
        browser.contents()
    response = browser.visit(
        lambda: (dict(session) if looked == "in the same request" else None, session.clear())
    )
    assert response.status_code == 200
    assert browser.cookie is None
    for _ in range(2):
        assert old.twin().contents() == {}
        assert old.twin().visit(lambda: session.get("user_id")).result is None


@pytest.mark.parametrize("looked", [False, True])
def test_logged_out_after_the_tombstone(browser, watched, now, looked):
    """It stays so when the tombstone of the session is gone, until the cookie has expired."""
    old = browser.twin()
    if looked:
        browser.contents()
    browser.clear()
    for _ in range(31):
        now.time += 86400
        purge(watched, now.time)
        assert old.twin().contents() == {}
        assert says_nothing_of_cookies(old.twin().visit(lambda: session.get("user_id")))
    assert len(watched.store._records) <= 1
    now.time += 86400 * 2
    purge(watched, now.time)
    assert old.contents() == {}
    assert not watched.store._records


@pytest.mark.parametrize("with_what", ["token", "signed cookie"])
def test_logging_out_with_either(browser, with_what):
    """A session that has moved is ended by its token and by the signed cookie alike."""
    signed = browser.twin()
    browser.contents()
    first, second = (browser, signed) if with_what == "token" else (signed, browser)
    assert cookies_set(first.clear())[0].value == ""
    assert first.cookie is None
    assert second.contents() == {}


def test_logging_out_twice(browser):
    """A second logout with the signed cookie ends nothing, and deletes no cookie."""
    again = browser.twin()
    browser.clear()
    assert says_nothing_of_cookies(again.clear())


def test_a_logout_within_a_slow_request(browser):
    """What a slow request with the signed cookie wrote revives nothing after the logout."""
    slow, other = browser.twin(), browser.twin()
    response = slow.visit(lambda: (session.update(a=1), other.clear()))
    assert says_nothing_of_cookies(response)
    assert browser.twin().contents() == {}
    assert other.cookie is None


@pytest.mark.parametrize("looked", [False, True])
@pytest.mark.parametrize("seconds", [0, 11, 59, 61, 3600])
def test_a_logout_within_a_very_slow_request(browser, watched, now, seconds, looked):
    """Nor does one that takes so long that the tombstone of the session is gone by then."""
    slow, other = browser.twin(), browser.twin()

    def page():
        session["a"] = 1
        if looked:
            other.contents()
        other.clear()
        now.time += seconds
        purge(watched, now.time)

    assert says_nothing_of_cookies(slow.visit(page))
    for _ in range(2):
        assert browser.twin().contents() == {}
        now.time += 61
        purge(watched, now.time)


def test_a_login_with_the_signed_cookie_of_a_session_that_ended(browser):
    """Who was logged out can log in at once, though the browser still brings the old cookie."""
    old = browser.twin()
    browser.clear()
    old.put(user_id="ada")
    assert is_stored(old)
    assert old.contents() == {"user_id": "ada"}


def test_a_session_that_expired_stays_so(app, watched, now):
    """A stored session that expired is not begun again from the signed cookie."""
    app.config["PERMANENT_SESSION_LIFETIME"] = 100
    browser = Browser(app, signed_cookie(CONTENTS))
    old = browser.twin()
    now.time += 50
    browser.contents()
    now.time += 100
    purge(watched, now.time)
    assert browser.contents() == {}
    assert old.contents() == {}


# Cookies that are none


def test_after_the_end(watched, now):
    """From migrate_until on, signed cookies are ignored and cost nothing; moved sessions stay."""
    until = datetime.fromtimestamp(now.time + 1000, UTC)
    app = migrating(watched, until=until)
    moved, late = (Browser(app, signed_cookie(CONTENTS)) for _ in range(2))
    now.time += 999
    assert moved.contents() == CONTENTS
    now.time += 1
    watched.taken()
    assert late.contents() == {}
    assert not is_stored(late)
    assert watched.taken() == []
    assert moved.contents() == CONTENTS
    late.put(a=1)
    assert is_stored(late)


def test_a_date_ends_at_its_beginning(watched, now):
    """A date means its first moment, in UTC."""
    day = datetime.fromtimestamp(now.time, UTC).date() + timedelta(days=1)
    app = migrating(watched, until=day)
    midnight = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
    for seconds, contents in ((midnight - 1, {"a": 1}), (midnight, {})):
        now.time = seconds
        assert Browser(app, signed_cookie({"a": 1})).contents() == contents


def test_without_a_migration(watched):
    """Without migrate_until a signed cookie is no token, and costs nothing."""
    app = make_app(SECRET_KEY=SECRET)
    Holdfast(app, store=watched)
    assert Browser(app, signed_cookie(CONTENTS)).contents() == {}
    assert watched.taken() == []


def forge(cookie):
    # Of the last character two bits mean nothing, so it may be another and the cookie as good.
    yield cookie[:-2] + ("A" if cookie[-2] != "A" else "B") + cookie[-1]
    yield "A" + cookie[1:]
    yield cookie + "A"
    yield cookie[1:]
    yield cookie.rpartition(".")[0]
    yield cookie.upper()
    yield "." + cookie
    yield signed_cookie(CONTENTS, OTHER_SECRET)
    yield ""
    yield "."
    yield ".." * 40


@pytest.mark.parametrize("use", [lambda: session.get("user_id"), lambda: session.clear()])
def test_forged_cookies_cost_nothing(browser, watched, use):
    """What is not signed by the application is empty, leaves no trace and asks nothing."""
    for cookie in forge(browser.cookie):
        forged = Browser(browser.app, cookie)
        response = forged.visit(use)
        assert response.status_code == 200
        assert not response.result
        assert says_nothing_of_cookies(response)
    assert watched.taken() == []


def test_expired_cookies_cost_nothing(app, browser, watched, now):
    """A signed cookie older than the lifetime is empty and asks nothing."""
    app.config["PERMANENT_SESSION_LIFETIME"] = 100
    now.time += 103
    assert browser.contents() == {}
    assert browser.clear().status_code == 200
    assert watched.taken() == []


def test_the_tombstone_stays_as_long_as_the_cookie_is_good(app, browser, watched, now):
    """In the last second of the signed cookie's life the tombstone is there still."""
    app.config["PERMANENT_SESSION_LIFETIME"] = 1000
    old = browser.twin()
    browser.clear()
    for second in range(50, 1100, 50):
        now.time += 50
        purge(watched, now.time)
        assert old.twin().contents() == {}, second


@pytest.mark.skipif(not HAS_FALLBACKS, reason="Flask has SECRET_KEY_FALLBACKS from 3.1 on")
def test_fallback_keys(watched):
    """A cookie that an older key signed is moved while that is among the fallbacks."""
    app = migrating(watched, SECRET_KEY=OTHER_SECRET, SECRET_KEY_FALLBACKS=[SECRET])
    assert Browser(app, signed_cookie(CONTENTS)).contents() == CONTENTS
    app.config["SECRET_KEY_FALLBACKS"] = []
    assert Browser(app, signed_cookie({"a": 1})).contents() == {}


def test_a_salt_of_ones_own(watched):
    """What an application had set on Flask's interface is how its cookies are read."""
    app = make_app(SECRET_KEY=SECRET)
    app.session_interface = FlasksInterface()
    app.session_interface.salt = "my own"
    cookie = Browser(app)
    cookie.put(a=1)
    Holdfast(app, store=watched, migrate_until=datetime.now(UTC) + timedelta(days=1))
    assert Browser(app, cookie.cookie).contents() == {"a": 1}
    assert Browser(app, signed_cookie({"a": 1})).contents() == {}


def test_an_empty_signed_cookie(app, watched):
    """A signed cookie that holds nothing is no error."""
    signer = app.session_interface.signed.get_signing_serializer(app)
    for contents in ({}, [], None, 7, "text", [1, 2]):
        browser = Browser(app, signer.dumps(contents))
        assert browser.contents() == {}
        browser.put(a=1)
        assert browser.contents() == {"a": 1}


def test_a_session_too_large_for_a_cookie(browser):
    """What did not fit into a cookie fits once it has moved."""
    browser.put(big="x" * 50_000)
    assert browser.get("big") == "x" * 50_000


# Failures between the steps


@pytest.mark.parametrize("lost", [False, True], ids=["not performed", "answer lost"])
@pytest.mark.parametrize("step", range(5))
@pytest.mark.parametrize("policy", list(OnOutage), ids=str)
def test_a_failure_loses_nobodys_session(step, lost, policy):
    """Whichever step of the move fails, the next request finds all, and moves the session."""
    for use in (lambda: session.get("user_id"), lambda: session.update(a=1)):
        watched = Watched(MemoryStore())
        app = make_app(SECRET_KEY=SECRET)
        until = datetime.now(UTC) + timedelta(days=1)
        policies = Policy(on_outage=policy)
        Holdfast(app, store=watched, policy=policies, migrate_until=until, listeners=())
        browser = Browser(app, signed_cookie(CONTENTS))
        before = browser.cookie
        failed = fail_at(watched, step, lost=lost)
        response = browser.visit(use)
        assert says_nothing_of_cookies(response) is bool(failed)
        if failed:
            assert browser.cookie == before
            assert is_unavailable(response) or (policy is OnOutage.EMPTY and step < 2)
        heal(watched)
        contents = browser.contents()
        contents.pop("a", None)
        assert contents == CONTENTS
        assert is_stored(browser)
        assert browser.contents().items() >= CONTENTS.items()


@pytest.mark.parametrize("lost", [False, True], ids=["not performed", "answer lost"])
@pytest.mark.parametrize("step", range(5))
@pytest.mark.parametrize("looked", [False, True])
@pytest.mark.parametrize("moved", [False, True])
def test_a_failure_undoes_no_logout(step, lost, looked, moved, now):
    """A logout that failed can be repeated, and one that was acknowledged holds."""
    watched = Watched(MemoryStore(purge_every=None))
    app = migrating(watched)
    cookie = signed_cookie(CONTENTS)
    browser = Browser(app, cookie)
    if moved:
        Browser(app, cookie).contents()
    failed = fail_at(watched, step, lost=lost)
    response = browser.visit(lambda: (looked and dict(session), session.clear()))
    if failed:
        assert is_unavailable(response)
        assert browser.cookie == cookie
    heal(watched)
    assert browser.clear().status_code == 200
    for seconds in (0, 61, 86400):
        now.time += seconds
        purge(watched, now.time)
        assert Browser(app, cookie).contents() == {}
        assert dict(browser.contents()) == {}


@pytest.mark.parametrize("lost", [False, True], ids=["not performed", "answer lost"])
@pytest.mark.parametrize("step", range(6))
def test_a_failure_during_a_login(step, lost):
    """A login as another that failed leaves the session as it was, or is one; it mixes nothing."""
    watched = Watched(MemoryStore(purge_every=None))
    app = migrating(watched)
    cookie = signed_cookie(CONTENTS)
    browser = Browser(app, cookie)
    fail_at(watched, step, lost=lost)
    browser.visit(lambda: session.update(user_id="bob"))
    heal(watched)
    assert Browser(app, cookie).contents() in (CONTENTS, {})
    assert browser.contents() in (CONTENTS, {}, {"user_id": "bob"})
    browser.put(user_id="bob")
    assert browser.contents() == {"user_id": "bob"}


@pytest.mark.parametrize("step", range(5))
@pytest.mark.parametrize("lost", [False, True], ids=["not performed", "answer lost"])
def test_a_crash_then_a_logout_elsewhere(step, lost, now):
    """After a failed move the session can be ended, and no step of it brings it back."""
    watched = Watched(MemoryStore(purge_every=None))
    app = migrating(watched)
    cookie = signed_cookie(CONTENTS)
    fail_at(watched, step, lost=lost)
    Browser(app, cookie).visit(lambda: session.update(a=1))
    heal(watched)
    assert Browser(app, cookie).clear().status_code == 200
    for seconds in (0, 61, 86400):
        now.time += seconds
        purge(watched, now.time)
        assert Browser(app, cookie).contents() == {}


def fail_at(watched, step, *, lost):
    """Have the operation number ``step`` fail; return a list that says so then."""
    count, failed = [], []

    def fails(name):
        count.append(name)
        if len(count) == step + 1:
            failed.append(name)
            return AWAY
        return None

    if lost:
        watched.loses = fails
    else:
        watched.fails = fails
    return failed


def heal(watched):
    watched.fails = watched.loses = lambda name: None


def test_what_is_told_of_a_move(browser, events):
    """A move is an event of its own kind; a second import is refused, and said to be."""
    old = browser.twin()
    browser.contents()
    assert [(event.name, event.why) for event in events] == [("created", "from a signed cookie")]
    browser.clear()
    events.clear()
    old.contents()
    assert [event.name for event in events] == ["refused"]
