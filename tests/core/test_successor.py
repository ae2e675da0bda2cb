"""Renewal: a new secret while the one before is in force, by the design's table row by row."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec import structs
from stored_sessions import (
    HOUR,
    NOTHING,
    START,
    Server,
    clear,
    clear_and,
    is_set,
    log_in,
    make_permanent,
    pop,
    regenerate,
    token_of,
    write,
)

from holdfast.core.events import Event
from holdfast.core.terms import Terms

RENEWING = Terms(idle=HOUR, touch_every=60, renew_every=100, grace=20, in_flight=10)


def renewing() -> tuple[Server, str]:
    """Return a server on which a renewal is due, and the cookie for which it is."""
    server = Server(RENEWING)
    cookie = server.stored(a=1)
    server.clock.advance(100)
    return server, cookie


@pytest.mark.parametrize("view", [len, write(b=2)])
def test_good_renewal_due(view):
    """Good, renewal due: Save with a new secret, the presented one as previous; Set."""
    server, old = renewing()
    outcome = server.visit(old, view)
    assert is_set(outcome)
    assert server.store.asked == ["load", "save"]
    record = server.record(old)
    assert token_of(outcome.token).opens(record.secret)
    assert token_of(old).opens(record.previous)
    assert (record.previous_until, record.rotated, record.created) == (0, START + 100, START)
    assert server.events[-1] == Event("regenerated", token_of(old).handle, "renewed")


def test_renewal_is_not_due_before():
    """A second before, nothing is renewed; and a request that does not look renews nothing."""
    server = Server(RENEWING)
    cookie = server.stored(a=1)
    server.clock.advance(99)
    assert server.visit(cookie) == NOTHING
    server.clock.advance(1)
    assert server.visit(cookie, lambda _: None) == NOTHING
    assert server.store.asked == ["load", "touch"]


def test_both_secrets_open_it_until_the_new_one_was_used_and_grace_longer():
    """First use of a renewed secret: Save ``previous_until = now + grace``; both open till then."""
    server, old = renewing()
    new = server.visit(old).token
    server.clock.advance(90)
    assert server.request(old) == {"a": 1}
    before = server.record(new)
    assert server.visit(new) == NOTHING
    record = server.record(new)
    assert record.previous_until == START + 190 + 20
    assert record.version == before.version + 1
    assert record == structs.replace(
        before, previous_until=210 + START, version=record.version, seen=START + 190,
        expires=START + 190 + HOUR,
    )  # fmt: skip
    server.clock.advance(20)
    assert server.request(old) == {"a": 1}
    server.clock.advance(1)
    assert server.request(old).new
    assert server.request(new) == {"a": 1}


def test_the_first_use_is_saved_with_whatever_else_is():
    """With whatever else is saved: one Save; and later uses save nothing more."""
    server, old = renewing()
    new = server.visit(old).token
    server.forget()
    server.visit(new, write(b=2))
    until = server.clock() + 20
    assert server.store.asked == ["load", "save"]
    assert server.record(new).previous_until == until
    server.clock.advance(5)
    server.visit(new)
    assert server.store.asked == ["load", "save", "load"]
    server.visit(new, write(c=3))
    assert server.record(new).previous_until == until


def test_a_refused_save_of_the_first_use_alone_is_ignored():
    """The refusal of a Save that carries nothing else is ignored."""
    server, old = renewing()
    new = server.visit(old).token
    session = server.request(new)
    assert len(session) == 1
    server.visit(new)
    server.forget()
    assert server.commit(session) == NOTHING
    assert server.store.asked == ["save"]


def test_good_by_the_previous_secret_reads_and_writes():
    """Good by the previous secret: it reads and writes, and both secrets stay in force."""
    server, old = renewing()
    new = server.visit(old).token
    assert server.visit(old, write(b=2)) == NOTHING
    assert server.contents(new) == {"a": 1, "b": 2}
    assert server.record(new).previous_until == 0
    assert server.request(new) == server.request(old) == {"a": 1, "b": 2}


@pytest.mark.parametrize("view", [regenerate, log_in(), clear_and(b=2), clear])
def test_good_by_the_previous_secret_regenerates_and_ends(view):
    """Good by the previous secret: it regenerates and ends, and every older token is dead."""
    server, old = renewing()
    new = server.visit(old).token
    outcome = server.visit(old, view)
    assert server.request(old).new
    assert server.request(new).new
    if view is clear:
        assert server.record(new).ended
    else:
        assert is_set(outcome)
        assert server.record(new).previous == b""


@pytest.mark.parametrize(("grace", "age"), [(20, 20), (5, 10)], ids=["grace", "in_flight"])
def test_by_the_previous_secret_it_renews_when_the_answer_was_lost(grace, age):
    """It renews again only if the unused secret is older than ``grace`` and ``in_flight``."""
    server = Server(replace(RENEWING, renew_every=1, grace=grace))
    old = server.stored(a=1)
    server.clock.advance(100)
    lost = server.visit(old).token
    for _ in range(age):
        server.clock.advance(1)
        assert server.visit(old) == NOTHING
    server.clock.advance(1)
    outcome = server.visit(old)
    assert is_set(outcome)
    assert token_of(old).opens(server.record(old).previous)
    assert server.request(outcome.token) == server.request(old) == {"a": 1}
    assert server.request(lost).new


def test_once_the_new_secret_was_used_the_previous_one_renews_nothing():
    """By the previous secret, within its grace, nothing is renewed: the new one has arrived."""
    server = Server(replace(RENEWING, renew_every=50, grace=40))
    old = server.stored(a=1)
    server.clock.advance(50)
    new = server.visit(old).token
    server.clock.advance(30)
    server.visit(new)
    server.clock.advance(30)
    assert server.visit(old, write(b=2)) == NOTHING
    assert server.contents(new) == {"a": 1, "b": 2}


def test_two_tabs_that_renew_at_once():
    """Trap 7: two tabs renewing at once end with one working session, whichever answer is last."""
    for last in (0, 1):
        server, old = renewing()
        one, two = server.request(old), server.request(old)
        assert len(one) == len(two)
        two["b"] = 2
        outcomes = [server.commit(one), server.commit(two)]
        assert [is_set(outcome) for outcome in outcomes] == [True, False]
        kept = outcomes[last].token or outcomes[0].token
        assert server.request(kept) == {"a": 1, "b": 2}
        assert server.request(old) == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("contents", "view"),
    [
        ({}, log_in()),
        ({"_user_id": "ada"}, pop("_user_id")),
        ({"_user_id": "ada"}, log_in("bob")),
        ({"_user_id": "ada"}, clear_and(b=2)),
    ],
)
def test_a_grace_never_crosses_a_change_of_privilege(contents, view):
    """Trap 6: at a login, a logout and a change of user the previous secret dies too."""
    server = Server(RENEWING)
    old = server.stored(a=1, **contents)
    server.clock.advance(100)
    new = server.visit(old).token
    after = server.visit(new, view)
    assert is_set(after)
    for dead in (old, new):
        assert server.request(dead).new
        assert server.visit(dead, write(evil=1)) == NOTHING
    assert "evil" not in server.contents(after.token)


def test_renewal_is_over_where_the_policy_says_never():
    """Without ``renew_every`` a secret is never renewed by itself."""
    server = Server()
    cookie = server.stored(a=1)
    server.clock.advance(HOUR - 1)
    assert server.visit(cookie, write(b=2)) == NOTHING
    assert server.record(cookie).rotated == START


def test_a_new_permanence_needs_a_new_cookie():
    """A cookie is set only with a new token: a change of permanence renews, with a previous one."""
    server = Server()
    old = server.stored(a=1)
    outcome = server.visit(old, make_permanent)
    assert is_set(outcome)
    assert token_of(old).opens(server.record(old).previous)
    assert server.request(old).permanent
    assert server.request(outcome.token).permanent


def test_a_new_permanence_by_the_previous_secret_sets_no_cookie_yet():
    """By a previous secret whose answer is under way it is stored, and no cookie is set."""
    server = Server()
    old = server.stored(a=1)
    server.visit(old, make_permanent)
    session = server.request(old)
    assert session.permanent
    session.permanent = False
    assert server.commit(session) == NOTHING
    assert not server.request(old).permanent


def test_what_a_record_says_of_the_device_is_renewed_with_the_secret():
    """What is known of the device is that of the request that got the secret.

    Other saves keep it; a renewal and a login note it anew, since browsers change their names.
    """
    server, _ = renewing()
    session = server.request(client="Firefox 1")
    session["a"] = 1
    cookie = server.commit(session).token
    assert server.record(cookie).client == "Firefox 1"
    for view, noted in ((write(b=2), "Firefox 1"), (len, "Firefox 1"), (regenerate, "Firefox 2")):
        session = server.request(cookie, client="Firefox 2")
        view(session)
        cookie = server.commit(session).token or cookie
        assert server.record(cookie).client == noted
    server.clock.advance(100)
    session = server.request(cookie, client="Firefox 3")
    assert len(session)
    cookie = server.commit(session).token
    assert server.record(cookie).client == "Firefox 3"
