"""What can't be stored, what can't be read, and a store that is away."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs
from stored_sessions import (
    DELETED,
    HOUR,
    NOTHING,
    START,
    TERMS,
    Server,
    clear,
    clear_and,
    is_set,
    log_in,
    make_envelope,
    make_permanent,
    pop,
    regenerate,
    token_of,
    write,
)

from holdfast import SessionTooLarge, StoreUnavailable, UnstorableValue
from holdfast.core.events import Event
from holdfast.core.record import Record

RENEWING = replace(TERMS, renew_every=HOUR // 2)
AWAY = StoreUnavailable("switched off by a test")

# What can't be stored


def test_what_cannot_be_stored_is_refused_before_anything_is():
    """Traps 35 and 42: a value that can't be stored is an error each time; nothing is stored."""
    server = Server(envelope=make_envelope(max_bytes=50))
    cookie = server.stored(a=1)
    for value, error in (({1}, UnstorableValue), ("x" * 100, SessionTooLarge)):
        session = server.request(cookie)
        session["a"] = value
        for _ in range(2):
            with pytest.raises(error):
                server.commit(session)
        del session["a"]
        assert server.commit(session) == NOTHING
        assert server.contents(cookie) == {}
    session = server.request()
    session["a"] = {1}
    server.forget()
    with pytest.raises(UnstorableValue):
        server.commit(session)
    assert server.store.asked == []


def test_merging_can_exceed_the_bound():
    """Contents that are too large only when merged are refused, and nothing of them is stored."""
    server = Server(envelope=make_envelope(max_bytes=50))
    cookie = server.stored(a=1)
    session = server.request(cookie)
    session["b"] = "x" * 30
    server.visit(cookie, write(c="x" * 20))
    with pytest.raises(SessionTooLarge):
        server.commit(session)
    assert server.contents(cookie) == {"a": 1, "c": "x" * 20}


@pytest.mark.parametrize("data", [b"", b"broken", b"{}\n[1]", b"{}\n{", b'{}\n{" u":"?"}'])
def test_what_cannot_be_read_is_left_alone(data):
    """Contents that can't be read make an empty session; what is written to that is dropped."""
    server = Server()
    cookie = server.stored(a=1)
    record = structs.replace(server.record(cookie), data=data)
    server.store.records[record.key] = record
    assert server.visit(cookie, write(b=2)) == NOTHING
    assert server.record(cookie) == record
    assert server.events[0].why.startswith("unreadable: ")
    assert server.told() == ["refused", "dropped"]


@pytest.mark.parametrize("view", [log_in("bob"), clear_and(_user_id="bob")])
def test_a_login_ends_what_cannot_be_read(view):
    """A login in a session that can't be read begins another one, and ends that one."""
    server = Server()
    cookie = server.stored(_user_id="ada")
    record = structs.replace(server.record(cookie), data=b"broken")
    server.store.records[record.key] = record
    outcome = server.visit(cookie, view)
    assert is_set(outcome)
    assert server.contents(outcome.token) == {"_user_id": "bob"}
    assert server.record(cookie).ended


def test_a_process_in_need_does_not_lose_a_session():
    """Where the process has no memory left, that is raised: no session is at fault."""
    server = Server()
    cookie = server.stored(a=1)

    def decode(_: bytes) -> Any:
        raise MemoryError

    server.engine.envelope.decode = decode
    with pytest.raises(MemoryError):
        len(server.request(cookie))


# Outages


def test_a_request_that_does_not_use_its_session_notices_no_outage():
    """Trap 27: while the store is away, a page that does not use the session does not notice."""
    server = Server()
    cookie = server.stored(a=1)
    server.store.down = True
    assert server.visit(cookie, lambda _: None) == NOTHING
    assert server.store.asked == []


def test_an_outage_is_raised_where_the_session_is_looked_at():
    """A look raises ``StoreUnavailable``; the request has no session, and commits nothing."""
    server = Server()
    cookie = server.stored(a=1)
    server.store.down = True
    session = server.request(cookie)
    with pytest.raises(StoreUnavailable):
        session.get("a")
    assert server.events == [Event("store_unavailable", token_of(cookie).handle, "down for tests")]
    server.store.down = False
    assert server.commit(session) == NOTHING
    assert session["a"] == 1


@pytest.mark.parametrize("view", [write(b=2), clear, clear_and(b=2), regenerate])
def test_an_outage_at_commit(view):
    """An outage at commit is raised and told once, and a session that failed is not tried again."""
    server = Server()
    cookie = server.stored(a=1)
    session = server.request(cookie)
    assert session["a"] == 1
    view(session)
    server.store.down = True
    server.forget()
    with pytest.raises(StoreUnavailable):
        server.commit(session)
    assert [event.name for event in server.events] == ["store_unavailable"]
    assert len(server.store.asked) == 1
    server.store.down = False
    assert server.commit(session) == NOTHING
    assert len(server.store.asked) == 1
    assert server.contents(cookie) == {"a": 1}


def test_an_outage_while_only_activity_was_to_be_noted():
    """Trap 27: where only a Touch fails, the page is as it would be, and the outage is told."""
    server = Server()
    cookie = server.stored(a=1)
    server.clock.advance(100)
    session = server.request(cookie)
    assert session["a"] == 1
    server.store.down = True
    for _ in range(2):
        assert server.commit(session) == NOTHING
    assert server.store.asked == ["load", "touch"]
    assert server.told() == ["store_unavailable"]
    assert server.record(cookie).seen == START


@pytest.mark.parametrize("view", [len, write(a=1)], ids=["reads", "writes what is there"])
def test_an_outage_while_only_a_renewal_was_due(view):
    """Nor does a page fail whose token is renewed, or noted to be in use: a later one does that."""
    server = Server(RENEWING)
    cookie = server.stored(a=1)
    server.clock.advance(HOUR // 2)
    for renews in (True, False):
        session = server.request(cookie)
        view(session)
        assert session["a"] == 1
        server.forget()
        server.store.down = True
        assert server.commit(session) == NOTHING
        assert server.told() == ["store_unavailable"]
        server.store.down = False
        outcome = server.visit(cookie)
        assert is_set(outcome) == renews
        cookie = outcome.token or cookie
    assert server.record(cookie).previous_until


def test_a_renewal_of_which_the_store_did_not_tell():
    """If it was saved after all, the token that the browser has goes on to open the session."""
    server = Server(RENEWING)
    cookie = server.stored(a=1)
    server.clock.advance(HOUR // 2)
    session = server.request(cookie)
    assert session["a"] == 1
    save = server.store.save

    def lose(record: Record) -> bool:
        save(record)
        raise AWAY

    server.store.save = lose  # type: ignore[method-assign]  # for one request
    assert server.commit(session) == NOTHING
    server.store.save = save  # type: ignore[method-assign]  # as it was
    assert server.record(cookie).previous
    for after in (0, server.engine.terms.grace, 1):
        server.clock.advance(after)
        assert server.contents(cookie) == {"a": 1}
    assert is_set(server.visit(cookie))


@pytest.mark.parametrize("view", [write(a=2), make_permanent, regenerate])
def test_an_outage_while_more_than_a_renewal_was_due(view):
    """What a page asked for is not forgiven, a renewal beside it or not."""
    server = Server(RENEWING)
    cookie = server.stored(a=1)
    server.clock.advance(HOUR // 2)
    session = server.request(cookie)
    assert session["a"] == 1
    view(session)
    server.store.down = True
    with pytest.raises(StoreUnavailable):
        server.commit(session)


def test_an_outage_at_commit_before_anything_was_loaded():
    """A session that was cleared and written without a look fails once, and tells so once."""
    server = Server()
    cookie = server.stored(a=1)
    session = server.request(cookie)
    clear_and(b=2)(session)
    server.store.down = True
    with pytest.raises(StoreUnavailable):
        server.commit(session)
    assert [event.name for event in server.events] == ["store_unavailable"]
    session = server.request()
    session["a"] = 1
    with pytest.raises(StoreUnavailable):
        server.commit(session)
    assert server.events[-1] == Event("store_unavailable", "", "down for tests")


def away() -> tuple[Server, str]:
    """Return a server whose pages go on without the store, which is away, and a good cookie."""
    server = Server(go_on_without_store=True)
    cookie = server.stored(a=1, _user_id="ada")
    server.store.down = True
    return server, cookie


@pytest.mark.parametrize(
    ("view", "dropped"),
    [(len, []), (write(b=2), ["dropped"]), (pop("_user_id"), [])],
)
def test_by_policy_a_page_goes_on_without_the_store(view, dropped):
    """By policy a page gets an empty session that saves nothing and emits no cookie."""
    server, cookie = away()
    session = server.request(cookie)
    assert dict(session) == {}
    view(session)
    server.store.down = False
    assert server.commit(session) == NOTHING
    assert server.store.asked == ["load"]
    assert server.contents(cookie) == {"a": 1, "_user_id": "ada"}
    assert server.told() == ["store_unavailable", *dropped]


def test_without_the_store_no_session_gets_a_new_token():
    """A page that asked for a new token must not go on as if it had got one."""
    server, cookie = away()
    session = server.request(cookie)
    session.regenerate()
    server.store.down = False
    with pytest.raises(StoreUnavailable):
        server.commit(session)


def test_without_the_store_a_first_visit_goes_on_too():
    """By policy a page of somebody without a session goes on too, and what it wrote is dropped."""
    server = Server(go_on_without_store=True)
    session = server.request(None)
    session["a"] = 1
    server.store.down = True
    assert server.commit(session) == NOTHING
    assert server.told() == ["store_unavailable", "dropped"]
    server.store.down = False
    assert server.commit(session) == NOTHING
    assert server.store.records == {}


def test_without_the_store_nobody_logs_in():
    """By policy too, a login that can't be stored fails."""
    server = Server(go_on_without_store=True)
    session = server.request(None)
    session["_user_id"] = "ada"
    server.store.down = True
    with pytest.raises(StoreUnavailable):
        server.commit(session)


def test_what_is_written_without_the_store_is_told():
    """What a page wrote to such a session is dropped, with an event that says why."""
    server, cookie = away()
    server.visit(cookie, write(b=2))
    assert server.events[-1] == Event(
        "dropped", token_of(cookie).handle, "the store was unavailable"
    )


@pytest.mark.parametrize("view", [clear, log_in(), clear_and(b=2)])
def test_logging_in_and_out_without_the_store_fails(view):
    """Logging in and out still fail while the store is away."""
    server, cookie = away()
    session = server.request(cookie)
    assert not session
    view(session)
    with pytest.raises(StoreUnavailable):
        server.commit(session)


def test_logging_out_works_when_the_store_is_back():
    """Where the store is back when such a page is over, a logout ends; a login fails even so.

    Nobody knows whose session the browser has, and its token must not outlive the login.
    """
    for view in (clear, clear_and(b=2)):
        server, cookie = away()
        session = server.request(cookie)
        assert not session
        view(session)
        server.store.down = False
        assert server.commit(session) == DELETED
        assert server.live() == 0
    server, cookie = away()
    session = server.request(cookie)
    log_in("bob")(session)
    server.store.down = False
    with pytest.raises(StoreUnavailable):
        server.commit(session)
