"""How many sessions a user may have, decided where sessions are saved and where users log in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from stored_sessions import (
    HOUR,
    NOTHING,
    START,
    Server,
    a_signed_cookie,
    clear,
    clear_and,
    is_set,
    log_in,
    pop,
    reauthenticate,
    regenerate,
    sign_in,
    token_of,
    write,
)

from holdfast import ConfigurationError, StoreUnavailable, TooManySessions
from holdfast.core.events import Event
from holdfast.core.full_session import FullSession
from holdfast.core.terms import Terms

TERMS = Terms(idle=HOUR, touch_every=60, max_per_user=2)


def signed_in(server: Server, *users: str) -> list[str]:
    """Return the cookies of users who log in one after the other, a minute after each other."""
    cookies = []
    for user in users:
        cookies.append(server.visit(None, sign_in(user)).token)
        server.clock.advance(60)
    server.forget()
    return cookies


def whose(server: Server, *cookies: str) -> list[str | None]:
    """Return whose sessions some cookies open."""
    return [server.request(cookie).user_id for cookie in cookies]


def refusing(user: str = "ada") -> Any:
    """Return a view that logs in where there is room."""
    return lambda session: session.log_in(user, ("password",), refuse_beyond_max=True)


@pytest.mark.parametrize("login", [sign_in("ada"), log_in("ada")], ids=["log_in", "assigned"])
def test_beyond_the_cap_the_oldest_ends(login):
    """ASVS 7.1.2: the one more ends the session that began first, and an event says why."""
    server = Server(TERMS)
    first, second = signed_in(server, "ada", "ada")
    server.visit(first)
    server.forget()
    third = server.visit(None, login).token
    assert whose(server, first, second, third) == [None, "ada", "ada"]
    assert server.store.asked[:2] == ["create", "cap"]
    ended = Event("ended", token_of(first).handle, "max_per_user")
    created = Event("created", token_of(third).handle)
    assert server.events[:2] == [created, ended]
    record = server.record(first)
    assert (record.ended, record.expires) == (START + 120, START + 180)


def test_beyond_the_cap_the_least_active_ends():
    """Or the one that was active least recently, if the policy says so."""
    server = Server(replace(TERMS, least_active=True))
    first, second = signed_in(server, "ada", "ada")
    server.visit(first)
    third = server.visit(None, sign_in("ada")).token
    assert whose(server, first, second, third) == ["ada", None, "ada"]


def test_without_a_cap_nothing_is_asked():
    """Where there is no cap, nothing is asked of the store for it."""
    server = Server()
    cookies = signed_in(server, *["ada"] * 5)
    assert server.visit(None, sign_in("ada")).token
    assert server.store.asked == ["create"]
    assert whose(server, *cookies) == ["ada"] * 5


def test_only_a_users_sessions_count():
    """Other users' sessions and anonymous ones neither count nor end."""
    server = Server(TERMS)
    bobs = signed_in(server, "bob", "bob")
    anonymous = [server.stored(a=1) for _ in range(3)]
    adas = signed_in(server, "ada", "ada")
    assert whose(server, *bobs, *adas) == ["bob", "bob", "ada", "ada"]
    assert all(not server.request(cookie).new for cookie in anonymous)
    assert "cap" not in server.store.asked


@pytest.mark.parametrize(
    "view",
    [
        write(b=2),
        regenerate,
        reauthenticate("pin"),
        sign_in("ada"),
        len,
        lambda session: session.update(user_id="ada"),
    ],
    ids=["write", "regenerate", "reauthenticate", "log in again", "look", "assign"],
)
def test_only_a_user_who_comes_is_capped(view):
    """What makes no session a user's that was not theirs is no reason to count them."""
    server = Server(TERMS)
    cookies = signed_in(server, "ada", "ada")
    server.engine.terms = replace(TERMS, max_per_user=1)
    server.clock.advance(60)
    server.visit(cookies[0], view)
    assert "cap" not in server.store.asked
    assert server.live() == 2


@pytest.mark.parametrize(
    "view", [log_in("ada"), sign_in("ada"), clear_and(_user_id="ada")], ids=["=", "log_in", "clear"]
)
@pytest.mark.parametrize("before", [{"a": 1}, {"_user_id": "bob"}], ids=["nobody's", "another's"])
def test_a_session_that_becomes_a_users_is_capped(view, before):
    """A session that was nobody's or another's counts when it becomes a user's, and is spared."""
    server = Server(TERMS)
    first, second = signed_in(server, "ada", "ada")
    cookie = server.stored(**before)
    outcome = server.visit(cookie, view)
    assert is_set(outcome)
    assert server.store.asked[-1] == "cap"
    assert whose(server, first, second, outcome.token) == [None, "ada", "ada"]


def test_a_session_is_capped_after_it_is_saved():
    """The session is stored before others end: a failed login ends nobody's."""
    server = Server(TERMS)
    first, second = signed_in(server, "ada", "ada")
    cookie = server.stored(a=1)
    server.store.meanwhile["save"] = [lambda: 1 / 0]
    session = server.request(cookie)
    session.log_in("ada")
    with pytest.raises(ZeroDivisionError):
        server.commit(session)
    assert "cap" not in server.store.asked
    assert whose(server, first, second) == ["ada", "ada"]


def test_a_login_that_was_merged_is_capped():
    """A login that was saved on top of another's write counts too."""
    server = Server(TERMS)
    first, second = signed_in(server, "ada", "ada")
    cookie = server.stored(a=1)
    session = server.request(cookie)
    session.log_in("ada")
    server.visit(cookie, write(b=2))
    outcome = server.commit(session)
    assert whose(server, first, second, outcome.token) == [None, "ada", "ada"]


def test_a_login_whose_session_ended_is_capped():
    """A login that begins another session, since its own ended meanwhile, counts too."""
    server = Server(TERMS)
    first, second = signed_in(server, "ada", "ada")
    cookie = server.stored(a=1)
    session = server.request(cookie)
    session.log_in("ada")
    server.visit(cookie, clear)
    outcome = server.commit(session)
    assert whose(server, first, second, outcome.token) == [None, "ada", "ada"]


def test_twenty_logins_leave_the_cap():
    """However many log in, as many sessions live as the cap says, the last ones."""
    server = Server(TERMS)
    cookies = signed_in(server, *["ada"] * 20)
    assert server.live() == 2
    assert whose(server, *cookies) == [None] * 18 + ["ada"] * 2


def test_a_cap_that_cannot_be_asked_loses_no_login():
    """Where the store fails after the login was stored, the browser gets its token all the same."""
    server = Server(TERMS)
    signed_in(server, "ada", "ada")
    server.store.meanwhile["cap"] = [lambda: setattr(server.store, "down", True)]
    outcome = server.visit(None, sign_in("ada"))
    server.store.down = False
    assert is_set(outcome)
    handle = token_of(outcome.token).handle
    assert server.events[-1] == Event("store_unavailable", handle, "down for tests")
    assert whose(server, outcome.token) == ["ada"]
    server.visit(None, sign_in("ada"))
    assert server.live() == 2


def test_what_expired_does_not_count():
    """Sessions that are over are no reason to end those that are not."""
    server = Server(TERMS)
    first, second = signed_in(server, "ada", "ada")
    server.clock.advance(HOUR - 120)
    server.visit(second)
    server.clock.advance(60)
    third = server.visit(None, sign_in("ada")).token
    assert whose(server, first, second, third) == [None, "ada", "ada"]
    assert not server.record(first).ended


# Refusing


def test_a_login_can_be_refused():
    """``refuse_beyond_max`` refuses the one more, tells whose and how many, and changes nothing."""
    server = Server(TERMS)
    cookies = signed_in(server, "ada", "ada")
    for given in (None, server.stored(cart=[1])):
        session = server.request(given)
        before = dict(session)
        server.forget()
        with pytest.raises(TooManySessions) as caught:
            refusing()(session)
        assert (caught.value.user_id, caught.value.limit) == ("ada", 2)
        assert server.store.asked == ["by_user"]
        assert session == before
        assert session.user_id is None
        assert session.methods == frozenset()
        assert server.commit(session) == NOTHING
    assert whose(server, *cookies) == ["ada", "ada"]


def test_a_login_is_taken_while_there_is_room():
    """Below the cap nobody is refused."""
    server = Server(TERMS)
    signed_in(server, "ada", "bob", "bob")
    assert server.visit(None, refusing()).token


def test_a_login_that_nobody_could_count_is_told():
    """Where the store is away nobody is let in, and the listeners are told, once."""
    server = Server(TERMS)
    session = server.request(server.stored(cart=[1]))
    assert session["cart"] == [1]
    server.forget()
    server.store.down = True
    with pytest.raises(StoreUnavailable):
        refusing()(session)
    assert server.told() == ["store_unavailable"]
    assert session.user_id is None


def test_a_login_can_be_refused_beyond_a_cap_alone():
    """Where the policy states none, or nobody could count, that is a mistake, and nobody comes."""
    server = Server()
    session = server.request()
    with pytest.raises(ConfigurationError, match="needs a store, and a policy that states max_"):
        refusing()(session)
    assert server.commit(session) == NOTHING
    assert server.store.asked == []


def test_ones_own_session_is_none_of_the_others():
    """Who logs in again, in a session of the user's, takes no more room than before."""
    server = Server(TERMS)
    first, second = signed_in(server, "ada", "ada")
    outcome = server.visit(second, refusing())
    assert is_set(outcome)
    assert whose(server, first, outcome.token) == ["ada", "ada"]
    outcome = server.visit(first, lambda session: (session.clear(), refusing()(session)))
    assert is_set(outcome)
    assert server.live() == 2


def test_room_is_made_by_what_is_over():
    """Sessions that ended or expired make room."""
    server = Server(TERMS)
    first, second = signed_in(server, "ada", "ada")
    server.visit(first, pop("_user_id"))
    third = server.visit(None, refusing()).token
    assert whose(server, second, third) == ["ada", "ada"]
    server.clock.advance(HOUR)
    assert server.visit(None, refusing()).token


def test_room_is_made_by_what_is_too_old():
    """What is over by the absolute limit of the policy of the moment takes no room."""
    server = Server(TERMS)
    signed_in(server, "ada", "ada")
    server.engine.terms = replace(TERMS, absolute=61)
    assert server.visit(None, refusing()).token
    server.engine.terms = replace(TERMS, absolute=HOUR)
    with pytest.raises(TooManySessions):
        server.visit(None, refusing())


def test_a_user_who_comes_over_is_capped():
    """A user whose signed cookie becomes a stored session has one more, once."""
    server = Server(TERMS)
    first, second = signed_in(server, "ada", "ada")
    signed = a_signed_cookie(START + 9 * HOUR, _user_id="ada")
    for _ in range(2):
        session = server.with_signed(signed)
        assert session.user_id == "ada"
        cookie = server.commit(session).token
    assert server.store.asked.count("cap") == 1
    assert whose(server, first, second, cookie) == [None, "ada", "ada"]
    server.forget()
    session = server.with_signed(a_signed_cookie(START + 9 * HOUR, a=1))
    assert len(session)
    server.commit(session)
    assert "cap" not in server.store.asked


def test_a_withheld_session_takes_its_room():
    """A session whose user may authenticate again is one of theirs, and the own one is spared."""
    server = Server(replace(TERMS, absolute=9 * HOUR, reauthenticate=True))
    first, second = signed_in(server, "ada", "ada")
    server.clock.advance(2 * HOUR)
    session = server.request()
    with pytest.raises(TooManySessions):
        refusing()(session)
    outcome = server.visit(first, refusing())
    assert whose(server, outcome.token) == ["ada"]
    assert server.request(second).needs_reauthentication


@pytest.mark.parametrize("user", ["ada", 7])
def test_whose_room_it_is(user):
    """The id is asked for as it is stored: as text."""
    server = Server(TERMS)
    for _ in range(2):
        server.visit(None, sign_in(user))
    with pytest.raises(TooManySessions) as caught:
        server.visit(None, refusing(user))
    assert caught.value.user_id == str(user)


def test_nobody_can_tell_whether_there_is_room():
    """Where the store is away a login that may be refused is an error, and signs nobody in."""
    server = Server(TERMS)
    session = server.request()
    server.store.down = True
    with pytest.raises(StoreUnavailable):
        refusing()(session)
    assert session == {}
    assert session.user_id is None


def test_a_store_that_finds_no_users_sessions():
    """Where a store can't find a user's sessions, refusing is a wrong configuration."""

    class Plain:
        def load(self, key: object) -> None:
            return None

    server = Server(TERMS)
    server.store = Plain()
    session = server.request()
    with pytest.raises(ConfigurationError, match="has the method by_user"):
        refusing()(session)
    assert isinstance(session, FullSession)
    assert session == {}
