"""From signed cookies to stored sessions: each once, and nobody is logged out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from stored_sessions import (
    DELETED,
    HOUR,
    NOTHING,
    START,
    TERMS,
    Server,
    View,
    a_signed_cookie,
    clear,
    clear_and,
    is_set,
    log_in,
    pop,
    regenerate,
    token_of,
    write,
)

from holdfast import StoreUnavailable
from holdfast.core.events import Event
from holdfast.core.migration import SignedCookie
from holdfast.core.record import Record
from holdfast.core.stored import Outcome
from holdfast.core.verdict import Verdict
from holdfast.drive import ask

COOKIE = a_signed_cookie(START + 2 * HOUR, a=1, _user_id="ada")
CONTENTS = dict(COOKIE.imported.contents)
TOKEN = COOKIE.token.text


def visit(server: Server, view: View = len, cookie: SignedCookie = COOKIE) -> Outcome:
    """Play a request that brings a signed cookie."""
    session = server.with_signed(cookie)
    view(session)
    return server.commit(session)


def test_a_cookie_that_is_not_looked_at_stays_a_cookie():
    """A request that does not use its session brings nothing over."""
    server = Server()
    assert visit(server, lambda _: None) == NOTHING
    assert server.store.asked == []


def test_a_look_begins_a_stored_session():
    """Looked at, its data begins a stored session, with a cookie; its user and permanence too."""
    server = Server()
    for cookie in (COOKIE, a_signed_cookie(permanent=True, b=2)):
        server.forget()
        outcome = visit(server, cookie=cookie)
        assert is_set(outcome)
        assert server.store.asked == ["load", "load", "create", "create"]
        assert server.events == [Event("created", cookie.handle, "from a signed cookie")]
        assert server.contents(outcome.token) == cookie.imported.contents
        assert server.request(outcome.token).permanent is cookie.imported.permanent
    assert server.record(TOKEN).user_id == "ada"
    assert server.record(TOKEN).created == START


def test_the_absolute_lifetime_counts_from_the_signature():
    """ASVS 7.3.2: a session is as old as what was signed, and one that is too old is refused."""
    for age, opens in ((0, True), (HOUR, True), (2 * HOUR - 1, True), (2 * HOUR, False)):
        server = Server(replace(TERMS, absolute=2 * HOUR))
        cookie = a_signed_cookie(START + 9 * HOUR, _user_id="ada", signed=START - age)
        outcome = visit(server, cookie=cookie)
        assert is_set(outcome) is opens
        if opens:
            record = server.record(outcome.token)
            assert (record.created, record.expires) == (
                START - age,
                START + min(HOUR, 2 * HOUR - age),
            )
        else:
            assert server.events == [Event("refused", cookie.handle, "absolute")]
            login = visit(server, log_in("ada"), cookie)
            assert server.record(login.token).created == START


def test_what_is_signed_by_a_clock_ahead_began_now():
    """Nothing begins later than it is brought over."""
    server = Server()
    outcome = visit(server, cookie=a_signed_cookie(signed=START + 5, a=1))
    assert server.record(outcome.token).created == START


def test_what_is_written_is_there_too():
    """What the request writes is stored over what the cookie held, with the session's cookie."""
    server = Server()
    cookie = a_signed_cookie(a=1, list=[1])
    outcome = visit(server, lambda it: (it["list"].append(2), it.update(b=2)), cookie)
    assert outcome.token == cookie.token.text
    assert server.contents(outcome.token) == {"a": 1, "list": [1, 2], "b": 2}


def test_a_tombstone_stays_until_the_cookie_would_have_expired():
    """The cookie's SHA-256 is kept as a tombstone until the cookie would have expired."""
    server = Server()
    visit(server)
    tombstone = server.store.records[COOKIE.key]
    assert (tombstone.ended, tombstone.expires) == (START, START + 2 * HOUR)
    assert tombstone.data == b""
    assert tombstone.user_id is None


def test_the_same_cookie_opens_the_same_session():
    """Requests that bring the cookie again, before its answer arrived, share one session."""
    server = Server()
    visit(server, write(b=2))
    server.forget()
    outcome = visit(server, write(c=3))
    assert outcome.token == TOKEN
    assert server.contents(TOKEN) == {**CONTENTS, "b": 2, "c": 3}
    assert server.live() == 1
    assert server.told() == []


def test_a_logout_is_not_undone_by_the_old_cookie():
    """Presenting the signed cookie after a logout finds nothing, late, soon and for ever."""
    server = Server()
    token = visit(server).token
    assert server.visit(token, clear) == DELETED
    for after in (0, 11, HOUR):
        server.clock.advance(after)
        if after == HOUR:  # the tombstone of the session was purged
            del server.store.records[COOKIE.token.key]
        assert not server.with_signed(COOKIE)
        assert not is_set(visit(server))
        assert server.live() == 0


def test_what_is_written_with_an_old_cookie_begins_anew():
    """A cookie that was imported before is unknown: what is written begins another session."""
    server = Server()
    server.visit(visit(server).token, clear)
    server.clock.advance(100)
    del server.store.records[COOKIE.token.key]
    server.forget()
    outcome = visit(server, write(b=2))
    assert is_set(outcome)
    assert outcome.token != TOKEN
    assert server.contents(outcome.token) == {"b": 2}
    assert server.events[0] == Event("refused", COOKIE.handle, "imported before")


@pytest.mark.parametrize("view", [clear, lambda it: it.get("a") and it.clear()])
def test_a_logout_with_a_cookie_that_was_never_imported(view):
    """A logout with the signed cookie alone leaves its tombstone, and deletes the cookie."""
    server = Server()
    assert visit(server, view) == DELETED
    assert server.told() == ["ended"]
    assert server.live() == 0
    assert server.with_signed(COOKIE).new
    assert not server.with_signed(COOKIE)
    assert visit(server, clear) == NOTHING


def test_a_logout_with_a_cookie_that_was_imported():
    """A logout with the signed cookie ends the session that it has become."""
    server = Server()
    token = visit(server).token
    token = server.visit(token, regenerate).token
    assert visit(server, clear) == DELETED
    assert server.record(token).ended


@pytest.mark.parametrize("looked", [False, True])
def test_a_logout_that_writes(looked):
    """``clear()``ed and then written: nothing of the cookie remains, and it is imported no more."""
    server = Server()
    session = server.with_signed(COOKIE)
    if looked:
        assert session["a"] == 1
    clear_and(flash=["bye"])(session)
    outcome = server.commit(session)
    assert is_set(outcome)
    assert server.contents(outcome.token) == {"flash": ["bye"]}
    assert server.record(outcome.token).user_id is None
    assert server.with_signed(COOKIE).new
    assert server.live() == 1


@pytest.mark.parametrize("view", [regenerate, log_in("bob"), pop("_user_id")])
def test_a_change_of_privilege_kills_the_cookie(view):
    """A cookie whose session was regenerated is as dead as any older token."""
    server = Server()
    outcome = visit(server, view)
    assert is_set(outcome)
    assert outcome.token != TOKEN
    assert server.with_signed(COOKIE)._opened is None
    assert not server.with_signed(COOKIE)
    server.clock.advance(1000)
    assert not is_set(visit(server))
    assert server.live() == 1


# At once


def test_two_requests_that_both_import():
    """Requests that bring the cookie at once share one session, and lose nothing."""
    server = Server()
    one, two = server.with_signed(COOKIE), server.with_signed(COOKIE)
    one["b"] = 2
    two["c"] = 3
    assert [server.commit(one).token, server.commit(two).token] == [TOKEN, TOKEN]
    assert server.contents(TOKEN) == {**CONTENTS, "b": 2, "c": 3}
    assert server.live() == 1
    assert server.told().count("created") == 1


@pytest.mark.parametrize("at", range(4))
def test_a_whole_request_in_the_middle_of_another(at):
    """Wherever one request runs while another imports, both writes are there, in one session."""
    server = Server()
    one, two = server.with_signed(COOKIE), server.with_signed(COOKIE)
    one["b"] = 2
    two["c"] = 3
    steps = server.engine.commit(one, START)
    answer: Any = None
    for number in range(100):
        if number == at:
            assert server.commit(two).token == TOKEN
        try:
            operation = steps.send(answer)
        except StopIteration:
            break
        answer = ask(server.store, operation)
    assert server.contents(TOKEN) == {**CONTENTS, "b": 2, "c": 3}
    assert server.live() == 1
    assert server.with_signed(COOKIE) == server.contents(TOKEN)


def test_imported_by_another_between_two_looks():
    """Imported by another between the looks for a session and for a tombstone: it is the same."""
    server = Server()
    steps = server.engine.open(COOKIE, START)
    answer = ask(server.store, next(steps))
    tombstone = steps.send(answer)
    visit(server, write(b=2))
    again = steps.send(ask(server.store, tombstone))
    with pytest.raises(StopIteration) as done:
        steps.send(ask(server.store, again))
    slow = server.with_signed(COOKIE)
    slow.fill(done.value.value)
    slow["c"] = 3
    assert server.commit(slow).token == TOKEN
    assert server.contents(TOKEN) == {**CONTENTS, "b": 2, "c": 3}


def test_imported_by_another_that_logged_out():
    """Imported and ended by another request meanwhile: what was written is dropped."""
    server = Server()
    slow = server.with_signed(COOKIE)
    slow["b"] = 2
    server.visit(visit(server).token, clear)
    server.forget()
    assert server.commit(slow) == NOTHING
    assert server.live() == 0
    assert server.told() == ["dropped"]


def test_imported_long_ago_by_another_whose_session_is_over():
    """Where the tombstone alone is left of what another imported, nothing comes back."""
    server = Server()
    slow = server.with_signed(COOKIE)
    slow["b"] = 2
    server.visit(visit(server).token, clear)
    del server.store.records[COOKIE.token.key]
    server.clock.advance(100)
    assert server.commit(slow) == NOTHING
    assert server.live() == 0
    server.clock.advance(100)
    assert not server.with_signed(COOKIE)


def test_imported_and_gone_between_two_steps():
    """Where the session that another imported is gone before it is read, nothing comes back."""
    server = Server()
    slow = server.with_signed(COOKIE)
    slow["b"] = 2
    visit(server)
    server.store.meanwhile["load"] = [server.store.records.clear]
    assert server.commit(slow) == NOTHING
    assert server.live() == 0


def test_imported_and_regenerated_by_another():
    """Imported and regenerated meanwhile: the derived token is dead, the write dropped."""
    server = Server()
    slow = server.with_signed(COOKIE)
    slow["b"] = 2
    token = visit(server, regenerate).token
    assert server.commit(slow) == NOTHING
    assert server.contents(token) == CONTENTS
    assert server.told()[-1] == "dropped"


def test_a_logout_in_a_request_that_is_late():
    """A logout that finds the session regenerated meanwhile ends it all the same."""
    server = Server()
    slow = server.with_signed(COOKIE)
    del slow["_user_id"]
    token = visit(server, regenerate).token
    assert server.commit(slow) == DELETED
    assert server.record(token).ended


def test_a_logout_while_another_imports():
    """A logout that meets an import half-way ends what the other has just stored."""
    server = Server()
    slow = server.with_signed(COOKIE)
    slow["b"] = 2
    after_retire = server.store.meanwhile["create"].append
    server.store.meanwhile["retire"] = [lambda: after_retire(lambda: server.commit(slow))]
    assert visit(server, clear) == DELETED
    assert COOKIE.token.key in server.store.records
    assert server.live() == 0
    assert server.with_signed(COOKIE).new
    server.clock.advance(1000)
    assert not server.with_signed(COOKIE)


def test_a_crash_between_two_steps_loses_nothing():
    """Where a request died after the session was stored, the next one leaves the tombstone."""
    server = Server()
    crashed = server.with_signed(COOKIE)
    assert crashed["a"] == 1
    steps = server.engine.commit(crashed, START)
    record: Record = next(steps).record
    assert server.store.create(record)
    steps.close()
    assert COOKIE.key not in server.store.records
    assert visit(server).token == TOKEN
    assert server.store.records[COOKIE.key].ended
    assert server.contents(TOKEN) == CONTENTS


# Outages


def test_an_outage_while_a_cookie_is_brought_over():
    """An outage raises, with the handle of the session to be; the cookie stays good."""
    server = Server()
    server.store.down = True
    session = server.with_signed(COOKIE)
    with pytest.raises(StoreUnavailable):
        session.get("a")
    assert server.events == [Event("store_unavailable", COOKIE.handle, "down for tests")]
    server.store.down = False
    assert server.with_signed(COOKIE) == CONTENTS


@pytest.mark.parametrize("view", [clear, clear_and(flash=["bye"])])
def test_a_logout_after_an_outage_is_not_lost(view):
    """Where a page went on without the store and the store is back, a logout ends the cookie."""
    server = Server(go_on_without_store=True)
    server.store.down = True
    session = server.with_signed(COOKIE)
    assert session._open().verdict is Verdict.AWAY
    view(session)
    server.store.down = False
    assert server.commit(session) == DELETED
    assert server.with_signed(COOKIE).new
    assert server.live() == 0


def test_a_page_without_the_store_imports_nothing():
    """Where a page went on without the store, nothing is imported and the cookie stays."""
    server = Server(go_on_without_store=True)
    server.store.down = True
    session = server.with_signed(COOKIE)
    assert dict(session) == {}
    session["b"] = 2
    server.store.down = False
    assert server.commit(session) == NOTHING
    assert server.store.records == {}
    assert server.with_signed(COOKIE) == CONTENTS


def test_a_cookie_shows_itself_nowhere():
    """Neither ``repr`` nor formatting shows a signed cookie, which is as good as a token."""
    for shown in (repr(COOKIE), f"{COOKIE}", repr(COOKIE.imported), repr(COOKIE.token)):
        assert COOKIE.text not in shown
        assert TOKEN not in shown
        assert "ada" not in shown
    assert COOKIE.handle == token_of(TOKEN).handle


def test_a_cookie_that_is_more_in_a_store():
    """What is too large as a store keeps it makes an empty session, and no request fails."""
    server = Server()
    server.engine.envelope.max_bytes = 10
    session = server.with_signed(COOKIE)
    assert session == {}
    assert server.commit(session) == NOTHING
    assert server.events == [Event("refused", COOKIE.handle, "SessionTooLarge")]
