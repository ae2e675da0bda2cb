"""How long a session lives: idle and absolute, its own lifetime, and a clock that is set.

ASVS 5.0, 7.3.1 and 7.3.2. The limits are judged by the record, and by the policy of the moment.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st
from stored_sessions import (
    HOUR,
    NOTHING,
    START,
    Server,
    View,
    a_signed_cookie,
    clear_and,
    is_set,
    log_in,
    make_permanent,
    pop,
    reauthenticate,
    regenerate,
    sign_in,
    token_of,
    write,
)
from values import examples

from holdfast import ConfigurationError
from holdfast.core.events import Event
from holdfast.core.full_session import FullSession
from holdfast.core.terms import Terms

TERMS = Terms(idle=HOUR, absolute=24 * HOUR, touch_every=60)
DAY = timedelta(days=1)


def lifetime(value: timedelta | None) -> View:
    """Return a view that looks, and gives the session a lifetime of its own."""
    return lambda session: (len(session), setattr(session, "lifetime", value))


def passive(session: FullSession) -> None:
    """Look, and say that this is no activity."""
    session.is_activity = False
    assert len(session)


def lives(server: Server, cookie: str) -> bool:
    """Return whether a cookie opens a session now; nothing is noted."""
    return not server.request(cookie).new


# Idle and absolute together


def test_a_session_is_over_after_its_idle_time():
    """ASVS 7.3.1: a second before its idle time has passed it opens, and then no more."""
    server = Server(TERMS)
    cookie = server.stored(a=1)
    server.clock.advance(HOUR - 1)
    assert lives(server, cookie)
    server.clock.advance(1)
    assert not lives(server, cookie)


def test_a_session_is_over_after_its_absolute_time():
    """ASVS 7.3.2: however active it is, a session is over at its absolute deadline."""
    server = Server(TERMS)
    cookie = server.visit(None, sign_in("ada", "password")).token
    views = [len, write(a=1), make_permanent, lifetime(DAY), write(a=2), regenerate]
    for hour in range(23):
        server.clock.advance(HOUR - 1)
        cookie = server.visit(cookie, views[hour % len(views)]).token or cookie
        assert server.record(cookie).created == START
    server.clock.advance(HOUR + 22)
    assert lives(server, cookie)
    server.visit(cookie)
    server.clock.advance(1)
    assert not lives(server, cookie)


@pytest.mark.parametrize(
    "view",
    [
        len,
        write(a=2),
        regenerate,
        make_permanent,
        lifetime(DAY),
        pop("_user_id"),
        log_in("ada"),
        reauthenticate("pin"),
        reauthenticate(),
        passive,
        lambda session: (session.pop("_user_id"), session.update(_user_id="ada")),
    ],
    ids=[
        "look",
        "write",
        "regenerate",
        "permanent",
        "lifetime",
        "leave",
        "same",
        "pin",
        "none",
        "passive",
        "readd",
    ],
)
def test_what_is_no_login_moves_no_absolute_deadline(view):
    """Trap 5: nothing but a login and a full authentication begins the absolute time anew."""
    server = Server(replace(TERMS, renew_every=60, touch_every=1))
    cookie = server.visit(None, sign_in("ada", "password", a=1)).token
    for _ in range(3):
        server.clock.advance(100)
        outcome = server.visit(cookie, view)
        cookie = outcome.token or cookie
        assert server.record(cookie).created == START
        assert server.record(cookie).expires <= START + 24 * HOUR
        if server.request(cookie).user_id is None:
            break


@pytest.mark.parametrize(
    "view",
    [
        sign_in("ada", "password"),
        sign_in("bob"),
        log_in("bob"),
        clear_and(_user_id="ada"),
        clear_and(a=1),
        reauthenticate("password"),
        reauthenticate("password", "totp"),
    ],
    ids=["again", "another", "assigned", "cleared", "emptied", "full", "more"],
)
def test_what_begins_the_absolute_time_anew(view):
    """A login, a full authentication and a ``clear`` begin it anew, and the idle time too."""
    server = Server(TERMS)
    cookie = server.visit(None, sign_in("ada", "password", a=1)).token
    server.clock.advance(1000)
    cookie = server.visit(cookie, view).token
    record = server.record(cookie)
    assert record.created == record.seen == START + 1000
    assert record.expires == START + 1000 + HOUR
    created = server.request(cookie).created
    assert created == datetime.fromtimestamp(START + 1000, UTC)


def test_an_anonymous_session_begins_anew_when_a_user_comes():
    """A user who comes to a session that is old has all of the absolute time."""
    server = Server(TERMS)
    cookie = server.stored(a=1)
    server.clock.advance(1000)
    cookie = server.visit(cookie, log_in("ada")).token
    assert server.record(cookie).created == START + 1000


def test_authenticating_by_more_since_the_login_counts():
    """All methods that are known since the login make a full authentication, one of them none."""
    server = Server(TERMS)
    cookie = server.visit(None, sign_in("ada", "password")).token
    server.clock.advance(60)
    cookie = server.visit(cookie, reauthenticate("totp")).token
    cookie = server.visit(cookie, reauthenticate("password")).token
    assert server.record(cookie).created == START
    cookie = server.visit(cookie, reauthenticate("password", "totp")).token
    assert server.record(cookie).created == START + 60


# The policy of the moment


def test_a_shorter_policy_holds_at_once():
    """A policy with shorter limits ends sessions that began under a longer one."""
    server = Server(TERMS)
    cookie = server.visit(None, sign_in("ada", a=1)).token
    server.clock.advance(1000)
    server.engine.terms = Terms(idle=1000)
    session = server.request(cookie)
    assert session.new
    assert session == {}
    assert server.events[-1] == Event("refused", token_of(cookie).handle, "idle")
    assert server.visit(cookie, write(evil=1)).token
    server.engine.terms = Terms(idle=HOUR, absolute=1000)
    assert not lives(server, cookie)
    server.engine.terms = Terms(idle=1001, absolute=1001)
    assert lives(server, cookie)


def test_what_is_idle_is_adopted_by_nobody():
    """Promise 4: a write with the token of a session that is over begins another one."""
    server = Server(TERMS)
    cookie = server.visit(None, sign_in("ada", a=1)).token
    server.clock.advance(1000)
    server.engine.terms = Terms(idle=1000)
    outcome = server.visit(cookie, write(b=2))
    assert is_set(outcome)
    assert token_of(outcome.token).key != token_of(cookie).key
    assert server.request(outcome.token) == {"b": 2}


def test_a_longer_policy_gives_more_time():
    """A session that has not been removed yet lives by a longer policy as soon as it holds."""
    server = Server(Terms(idle=100))
    cookie = server.stored(a=1)
    server.clock.advance(99)
    server.engine.terms = Terms(idle=HOUR, touch_every=60)
    server.visit(cookie)
    server.clock.advance(HOUR - 1)
    assert lives(server, cookie)


def test_an_absolute_limit_that_comes_later_counts_from_the_beginning():
    """A limit that the policy gets later is counted from the session's beginning, not from now."""
    server = Server(Terms(idle=HOUR, touch_every=60))
    cookie = server.stored(a=1)
    for _ in range(4):
        server.clock.advance(HOUR - 1)
        server.visit(cookie)
    server.engine.terms = replace(TERMS, absolute=4 * HOUR)
    assert lives(server, cookie)
    server.clock.advance(4)
    assert not lives(server, cookie)


# Its own lifetime


@pytest.mark.parametrize("seconds", [60, 3 * HOUR, 24 * HOUR])
def test_a_session_with_a_lifetime_of_its_own(seconds):
    """A session can live shorter or longer than others without activity."""
    server = Server(TERMS)
    session = server.request()
    session["a"] = 1
    session.lifetime = timedelta(seconds=seconds)
    assert session.lifetime == timedelta(seconds=seconds)
    cookie = server.commit(session).token
    assert server.record(cookie).expires == START + seconds
    assert session.lifetime == timedelta(seconds=seconds)
    server.clock.advance(seconds - 1)
    assert server.request(cookie).lifetime == timedelta(seconds=seconds)
    server.clock.advance(1)
    assert not lives(server, cookie)


def test_a_lifetime_is_kept_by_activity():
    """Activity keeps a session alive for its own lifetime, and up to the absolute one."""
    server = Server(TERMS)
    cookie = server.stored(a=1)
    server.visit(cookie, lifetime(timedelta(hours=10)))
    for hour in (9, 18):
        server.clock.advance(9 * HOUR)
        server.visit(cookie)
        assert server.record(cookie).expires == START + min(24, hour + 10) * HOUR
    server.clock.advance(6 * HOUR - 1)
    assert lives(server, cookie)
    server.clock.advance(1)
    assert not lives(server, cookie)


def test_a_short_lifetime_is_touched_in_time():
    """Activity in a session that lives shortly is noted so often that it does not end in use."""
    server = Server(TERMS)
    cookie = server.stored(a=1)
    server.visit(cookie, lifetime(timedelta(seconds=20)))
    for _ in range(30):
        server.clock.advance(10)
        assert server.request(cookie)["a"] == 1
        server.visit(cookie)
    server.clock.advance(20)
    assert not lives(server, cookie)


def test_a_lifetime_is_taken_back():
    """None is the policy's again; and a lifetime that was stored is not stored again."""
    server = Server(TERMS)
    cookie = server.stored(a=1)
    assert server.request(cookie).lifetime is None
    server.visit(cookie, lifetime(DAY))
    server.forget()
    assert server.visit(cookie, lifetime(DAY)) == NOTHING
    assert server.store.asked == ["load"]
    session = server.request(cookie)
    assert session.lifetime == DAY
    session.lifetime = None
    assert session.lifetime is None
    server.commit(session)
    assert server.request(cookie).lifetime is None
    assert server.notes(cookie).lifetime is None
    server.forget()
    assert server.visit(cookie, lifetime(None)) == NOTHING
    assert server.store.asked == ["load"]
    server.clock.advance(HOUR)
    assert not lives(server, cookie)


def test_setting_a_lifetime_is_no_use_of_the_session():
    """As ``permanent``, it is applied when the session is looked at or written otherwise."""
    server = Server(TERMS)
    cookie = server.stored(a=1)
    for given_ in (cookie, None):
        session = server.request(given_)
        session.lifetime = DAY
        session.is_activity = False
        assert not session.accessed
        assert server.commit(session) == NOTHING
    assert server.store.asked == []


def test_reading_a_lifetime_is_a_look():
    """What is stored of it is loaded, once, and the response depends on the cookie."""
    server = Server(TERMS)
    session = server.request(server.stored(a=1))
    assert session.lifetime is None
    assert session.accessed
    assert server.store.asked == ["load"]


@pytest.mark.parametrize(
    "wrong", [timedelta(), -DAY, timedelta(seconds=0.9), DAY + timedelta(seconds=1), timedelta.max]
)
def test_a_lifetime_is_bounded_by_the_absolute_one(wrong):
    """A lifetime of no second, or longer than anything may live, is refused; nothing is changed."""
    server = Server(TERMS)
    session = server.request(server.stored(a=1))
    session.lifetime = timedelta(minutes=5)
    with pytest.raises(ConfigurationError) as caught:
        session.lifetime = wrong
    assert "1 day, 0:00:00" in str(caught.value)
    assert str(caught.value).endswith(f"not {wrong}")
    assert session.lifetime == timedelta(minutes=5)


@pytest.mark.parametrize("wrong", [3600, 3600.0, "1h", False])
def test_a_lifetime_is_a_timedelta(wrong):
    """A lifetime is a timedelta, and no number of whatever unit."""
    session = Server(TERMS).request()
    with pytest.raises(ConfigurationError, match="lifetime must be a timedelta or None, not "):
        session.lifetime = wrong


def test_a_lifetime_without_an_absolute_one():
    """Trap 14: without an absolute limit, 400 days are the most."""
    session = Server().request()
    session.lifetime = timedelta(days=400)
    with pytest.raises(ConfigurationError, match="400 days"):
        session.lifetime = timedelta(days=400, seconds=1)


def test_a_lifetime_never_outlasts_a_policy_that_was_shortened():
    """A lifetime from before is bounded by the absolute time of the policy of the moment."""
    server = Server(TERMS)
    cookie = server.stored(a=1)
    server.visit(cookie, lifetime(DAY))
    server.engine.terms = replace(TERMS, absolute=2 * HOUR)
    server.clock.advance(2 * HOUR - 1)
    assert lives(server, cookie)
    server.clock.advance(1)
    assert not lives(server, cookie)


def test_a_lifetime_is_of_one_session():
    """``clear`` ends it with the session, and another user's login does."""
    server = Server(TERMS)
    for view in (clear_and(b=2), sign_in("bob")):
        cookie = server.stored(_user_id="ada")
        server.visit(cookie, lifetime(DAY))
        cookie = server.visit(cookie, view).token
        assert server.request(cookie).lifetime is None
    cookie = server.stored(_user_id="ada")
    session = server.request(cookie)
    session.lifetime = DAY
    session.log_in("bob")
    cookie = server.commit(session).token
    assert server.request(cookie).lifetime == DAY


# What is no activity


@pytest.mark.parametrize("ages", [(60, 60), (30, 60)])
def test_a_request_that_is_no_activity_extends_nothing(ages):
    """A page that asks by itself keeps no session alive, whether it reads or writes."""
    server = Server(TERMS)
    cookie = server.stored(a=1)
    for age, view in zip(ages, [passive, lambda s: (passive(s), s.update(n=1))], strict=True):
        server.clock.advance(age)
        server.visit(cookie, view)
        assert server.record(cookie).seen == START
        assert server.record(cookie).expires == START + HOUR
    assert server.contents(cookie) == {"a": 1, "n": 1}
    server.clock.advance(HOUR - sum(ages))
    assert not lives(server, cookie)


def test_no_activity_asks_nothing_but_the_load():
    """A polling page that reads costs one load, and no touch is due for it."""
    server = Server(TERMS)
    cookie = server.stored(a=1)
    server.clock.advance(1000)
    assert server.visit(cookie, passive) == NOTHING
    assert server.store.asked == ["load"]


def test_no_activity_beside_a_token_from_before():
    """Nor is there a touch while the token before is in force, which takes a closer look."""
    server = Server(replace(TERMS, renew_every=100, grace=90))
    old = server.stored(a=1)
    server.clock.advance(100)
    new = server.visit(old).token
    server.visit(new)
    server.clock.advance(70)
    before = server.record(new)
    server.forget()
    for cookie in (new, old):
        assert server.visit(cookie, passive) == NOTHING
    assert server.store.asked == ["load"] * 2
    assert server.record(new) == before
    server.visit(new)
    assert server.record(new).seen == START + 170


def test_a_login_is_activity_all_the_same():
    """Who logs in or authenticates again on such a page is active, and what begins begins now."""
    server = Server(TERMS)
    for view in (
        sign_in("ada", "password"),
        log_in("bob"),
        reauthenticate("pin"),
        clear_and(a=1),
    ):
        cookie = server.stored(_user_id="cleo")
        server.clock.advance(100)
        session = server.request(cookie)
        session.is_activity = False
        view(session)
        cookie = server.commit(session).token
        assert server.record(cookie).seen == server.clock()


def test_is_activity_is_of_one_request():
    """It says so of this request, its second commit included, and of no later one."""
    server = Server(TERMS)
    cookie = server.stored(a=1)
    server.clock.advance(100)
    session = server.request(cookie)
    assert session.is_activity
    session.is_activity = False
    session["b"] = 2
    server.commit(session)
    assert not session.is_activity
    session["b"] = 3
    server.commit(session)
    assert server.record(cookie).seen == START
    session = server.request(cookie)
    assert session.is_activity
    session.is_activity = False
    session.is_activity = True
    session["b"] = 4
    server.commit(session)
    assert server.record(cookie).seen == START + 100


def test_no_activity_renews_its_token_all_the_same():
    """A token that is due is renewed by any request: that is no extension."""
    server = Server(replace(TERMS, renew_every=100))
    cookie = server.stored(a=1)
    server.clock.advance(100)
    outcome = server.visit(cookie, passive)
    assert is_set(outcome)
    record = server.record(cookie)
    assert (record.seen, record.expires) == (START, START + HOUR)


# A clock that is set


def test_a_clock_that_goes_back_ends_nobody():
    """Trap 24: with a clock that is behind nobody is out, nothing is renewed and nothing noted."""
    server = Server(replace(TERMS, renew_every=600))
    cookie = server.visit(None, sign_in("ada", a=1)).token
    server.forget()
    before = server.record(cookie)
    server.clock.advance(-9 * HOUR)
    assert server.visit(cookie) == NOTHING
    assert server.store.asked == ["load"]
    assert server.request(cookie).user_id == "ada"
    assert server.record(cookie) == before
    server.visit(cookie, write(b=2))
    record = server.record(cookie)
    assert (record.created, record.seen, record.expires) == (START, START, START + HOUR)


def test_a_clock_that_was_ahead_gives_no_more_than_its_lead():
    """A session that began by a clock that was ahead lives longer by the lead, and no longer."""
    server = Server(TERMS)
    server.clock.advance(5 * HOUR)
    cookie = server.stored(a=1)
    server.clock.advance(-5 * HOUR)
    for number in range(2 * 29):
        assert server.request(cookie)["a"] == 1
        server.visit(cookie, write(n=number))
        server.clock.advance(HOUR // 2)
    assert not lives(server, cookie)


def test_a_clock_that_goes_ahead_ends_what_is_over_by_it():
    """By a clock that is ahead sessions are over sooner, and by one that is right they live on."""
    server = Server(TERMS)
    cookie = server.stored(a=1)
    server.clock.advance(HOUR)
    assert not lives(server, cookie)
    server.clock.advance(-1)
    assert lives(server, cookie)


STEPS = st.lists(
    st.tuples(
        st.integers(-2 * HOUR, 2 * HOUR),
        st.sampled_from(
            [
                len,
                write(a=1),
                passive,
                regenerate,
                lifetime(timedelta(hours=6)),
                lifetime(timedelta(minutes=5)),
                reauthenticate("pin"),
                make_permanent,
            ]
        ),
    ),
    max_size=12,
)


@examples(100)
@given(STEPS, st.booleans())
def test_no_series_of_requests_outlives_the_absolute_time(steps, keeps):
    """Whatever is asked of a session that nobody logs in to, its beginning never moves.

    And it opens nothing from its deadline on, by whichever clock.
    """
    server = Server(replace(TERMS, absolute=6 * HOUR, renew_every=700, reauthenticate=keeps))
    cookie = server.visit(None, sign_in("ada", "password", a=1)).token
    for seconds, view in steps:
        server.clock.advance(seconds)
        session = server.request(cookie)
        if not session.get("a"):
            continue
        view(session)
        cookie = server.commit(session).token or cookie
        assert server.record(cookie).created == START
    server.clock.now = START + 6 * HOUR
    assert not lives(server, cookie)
    assert not server.request(cookie).needs_reauthentication


def test_a_signed_cookie_lives_by_the_same_limits():
    """What came over from a signed cookie is idle and too old as any session is."""
    server = Server(TERMS)
    signed = a_signed_cookie(START + 99 * HOUR, a=1)
    session = server.with_signed(signed)
    assert len(session)
    server.commit(session)
    server.clock.advance(HOUR)
    assert server.with_signed(signed).new
