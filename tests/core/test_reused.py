"""The event of a token that is used after its time: stolen, or its successor never arrived."""

from __future__ import annotations

from dataclasses import replace

import pytest
from stored_sessions import (
    HOUR,
    Server,
    clear,
    log_in,
    regenerate,
    sign_in,
    token_of,
    write,
)

from holdfast.core.events import Event
from holdfast.core.terms import Terms
from holdfast.core.token import mint, renew

TERMS = Terms(idle=HOUR, touch_every=60, renew_every=600, grace=20, in_flight=10)


def reused(server: Server, cookie: str) -> list[Event]:
    """Return what is told of a look with a cookie."""
    server.forget()
    server.visit(cookie)
    return server.events


def test_a_token_after_its_grace():
    """A token whose successor is in use is good for the grace, and reused from then on."""
    server = Server(TERMS)
    old = server.stored(a=1)
    handle = token_of(old).handle
    server.clock.advance(600)
    new = server.visit(old).token
    server.clock.advance(100)
    server.visit(new)
    server.clock.advance(20)
    assert reused(server, old) == [Event("loaded", handle)]
    server.clock.advance(1)
    assert reused(server, old) == [Event("token_reused", handle, "unknown")]
    assert reused(server, new) == [Event("loaded", handle)]


def test_a_token_whose_successor_never_arrived():
    """While the new token has not been used, the one before opens the session: nobody stole it."""
    server = Server(TERMS)
    old = server.stored(a=1)
    server.clock.advance(600)
    lost = server.visit(old).token
    server.clock.advance(1000)
    assert [event.name for event in reused(server, old)] == ["loaded", "regenerated"]
    server.clock.advance(11)
    assert [event.name for event in reused(server, lost)] == ["token_reused"]


@pytest.mark.parametrize(
    "view", [regenerate, log_in("ada"), sign_in("ada")], ids=["regenerate", "=", "log_in"]
)
def test_a_token_from_before_a_login(view):
    """What was sent before a new token is late for as long as a flight may take, then reused."""
    server = Server(TERMS)
    old = server.stored(a=1)
    handle = token_of(old).handle
    server.visit(old, view)
    server.clock.advance(10)
    assert reused(server, old) == [Event("refused", handle, "late")]
    server.clock.advance(1)
    assert reused(server, old) == [Event("token_reused", handle, "unknown")]


def test_a_reused_token_opens_nothing_and_ends_nothing():
    """Who uses it gets an empty session; the one of the newer token lives on as it is."""
    server = Server(TERMS)
    old = server.stored(a=1)
    new = server.visit(old, sign_in("ada")).token
    server.clock.advance(11)
    before = server.record(new)
    session = server.request(old)
    assert session == {}
    assert session.new
    outcome = server.visit(old, write(evil=1))
    assert token_of(outcome.token).key != token_of(new).key
    assert server.record(new) == before


def test_what_is_over_is_not_reused():
    """Of a session that was ended, is over or was never there, no token is reused."""
    server = Server(TERMS)
    old = server.stored(a=1)
    new = server.visit(old, regenerate).token
    server.visit(new, clear)
    server.clock.advance(30)
    for cookie in (old, new, mint(lambda length: b"u" * length).text):
        assert [event.name for event in reused(server, cookie)] == ["refused"]
    for terms, seconds in ((TERMS, HOUR), (replace(TERMS, absolute=100), 100)):
        server.engine.terms = TERMS
        old = server.stored(a=1)
        server.visit(old, regenerate)
        server.engine.terms = terms
        server.clock.advance(seconds)
        assert [event.name for event in reused(server, old)] == ["refused"]


def test_nothing_of_a_token_is_told():
    """The event names the session by its handle, and has nothing of any token."""
    server = Server(TERMS)
    token = token_of(server.stored(a=1))
    other = renew(token, lambda length: b"x" * length)
    server.clock.advance(11)
    (event,) = reused(server, other.text)
    assert event == Event("token_reused", token.handle, "unknown")
    assert other.text not in repr(event)
    assert token.text not in repr(event)
