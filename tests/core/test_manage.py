"""What people do with sessions: list a user's, and end one, others, all of them, everybody's."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from stored_sessions import (
    DELETED,
    HOUR,
    NOTHING,
    START,
    ModelStore,
    Server,
    clear,
    sign_in,
    token_of,
    write,
)

from holdfast import NotSignedIn, StoreUnavailable, manage
from holdfast.core.client import Client
from holdfast.core.events import Event
from holdfast.core.record import bare
from holdfast.core.revocations import key_of_user
from holdfast.core.store import Page, Purged
from holdfast.core.terms import Terms
from holdfast.drive import run

TERMS = Terms(idle=HOUR, absolute=24 * HOUR, touch_every=60)


def signed_in(server: Server, *users: str) -> list[str]:
    """Return the cookies of users who log in one after the other, a minute after each other."""
    cookies = []
    for user in users:
        cookies.append(server.visit(None, sign_in(user)).token)
        server.clock.advance(60)
    server.forget()
    return cookies


def handles(*cookies: str) -> list[str]:
    """Return the handles of some cookies' sessions."""
    return [token_of(cookie).handle for cookie in cookies]


def do(server: Server, use: Any, *given: Any, **settings: Any) -> Any:
    """Perform a use case now."""
    return run(server.store, use(server.engine, *given, server.clock(), **settings))


def end_all(server: Server) -> int | None:
    """End everybody's sessions now."""
    return run(server.store, manage.end_all(server.engine, server.clock))


def whose(server: Server, *cookies: str) -> list[str | None]:
    """Return whose sessions some cookies open."""
    return [server.request(cookie).user_id for cookie in cookies]


# Listing


def test_a_users_sessions_are_listed():
    """ASVS 7.5.2: each with its handle, when it began and was last active, and its browser."""
    server = Server(TERMS)
    session = server.request(client="192.0.2.0/24\ncurl/8.8.0")
    session.log_in("ada")
    cookie = server.commit(session).token
    server.clock.advance(100)
    server.visit(cookie)
    (listed,) = do(server, manage.sessions_of, "ada")
    assert listed == manage.UserSession(
        handle=token_of(cookie).handle,
        created=datetime.fromtimestamp(START, UTC),
        last_seen=datetime.fromtimestamp(START + 100, UTC),
        client=Client("curl/8.8.0", "192.0.2.0/24"),
        is_current=False,
    )
    with pytest.raises(FrozenInstanceError):
        listed.is_current = True


def test_the_last_active_comes_first():
    """The list begins with what was active last, and says which one is asking."""
    server = Server(TERMS)
    first, second, third = signed_in(server, "ada", "ada", "ada")
    server.visit(first)
    listed = run(
        server.store,
        manage.sessions_of(server.engine, "ada", server.clock(), token_of(second).handle),
    )
    assert [one.handle for one in listed] == handles(first, third, second)
    assert [one.is_current for one in listed] == [False, False, True]


def test_of_equals_the_order_is_always_the_same():
    """Sessions that were active in one second are listed in one order, however they are found."""
    server = Server(TERMS)
    for _ in range(5):
        server.visit(None, sign_in("ada"))
    before = [one.handle for one in do(server, manage.sessions_of, "ada")]
    assert len(set(before)) == 5
    server.store.records = dict(reversed(server.store.records.items()))
    assert [one.handle for one in do(server, manage.sessions_of, "ada")] == before


def test_a_list_tells_no_token():
    """What a list shows opens nothing: nothing of any token is in it."""
    server = Server(TERMS)
    cookies = signed_in(server, "ada", "ada")
    shown = repr(do(server, manage.sessions_of, "ada"))
    for cookie in cookies:
        assert cookie not in shown
        assert cookie[:21] not in shown
        assert server.record(cookie).secret.hex() not in shown


def test_only_the_users_own_are_listed():
    """Neither others' sessions, nor nobody's, nor what has ended or is over, are listed."""
    server = Server(TERMS)
    ended, expired, live = signed_in(server, "ada", "ada", "ada")
    signed_in(server, "bob")
    server.stored(a=1)
    server.visit(ended, clear)
    server.clock.advance(HOUR - 300)
    server.visit(live)
    server.clock.advance(240)
    assert [one.handle for one in do(server, manage.sessions_of, "ada")] == handles(live)
    assert do(server, manage.sessions_of, "cleo") == []
    assert not server.record(expired).ended


def test_what_is_too_old_is_not_listed():
    """What is over by the absolute limit of the policy of the moment is not listed."""
    server = Server(TERMS)
    (cookie,) = signed_in(server, "ada")
    server.engine.terms = replace(TERMS, absolute=61)
    assert [one.handle for one in do(server, manage.sessions_of, "ada")] == handles(cookie)
    server.clock.advance(1)
    assert do(server, manage.sessions_of, "ada") == []


def test_a_withheld_session_is_listed():
    """A session whose user may authenticate again is one of the user's, and can be ended."""
    server = Server(replace(TERMS, reauthenticate=True))
    (cookie,) = signed_in(server, "ada")
    server.clock.advance(2 * HOUR)
    assert server.request(cookie).needs_reauthentication
    assert [one.handle for one in do(server, manage.sessions_of, "ada")] == handles(cookie)
    assert do(server, manage.end_session, "ada", *handles(cookie))
    assert not server.request(cookie).needs_reauthentication


# Ending


def test_one_session_ends_by_its_handle():
    """ASVS 7.5.2: a user ends one session, and no token opens it from then on."""
    server = Server(TERMS)
    first, second = signed_in(server, "ada", "ada")
    assert do(server, manage.end_session, "ada", *handles(first)) is True
    assert whose(server, first, second) == [None, "ada"]
    ended = Event("ended", token_of(first).handle, "by its user")
    assert server.events[0] == ended
    record = server.record(first)
    assert (record.ended, record.expires) == (START + 120, START + 180)
    assert do(server, manage.end_session, "ada", *handles(first)) is False


def test_nobody_ends_anothers_session():
    """A handle of another user's session ends nothing, and is answered as one that is none."""
    server = Server(TERMS)
    adas, bobs = signed_in(server, "ada", "bob")
    for handle in (*handles(bobs), "", "0" * 16, token_of(bobs).key.hex(), bobs):
        assert do(server, manage.end_session, "ada", handle) is False
    assert whose(server, adas, bobs) == ["ada", "bob"]
    assert "retire" not in server.store.asked


def test_a_session_that_ends_while_it_is_written():
    """Promise 1: what a request wrote to a session ended elsewhere is dropped, without a cookie."""
    server = Server(TERMS)
    (cookie,) = signed_in(server, "ada")
    session = server.request(cookie)
    session["a"] = 1
    assert do(server, manage.end_session, "ada", *handles(cookie))
    assert server.commit(session) == NOTHING
    assert server.live() == 0
    assert server.told() == ["ended", "dropped"]


def test_all_sessions_of_a_user_end():
    """ASVS 7.4.2: all sessions of a user end, nobody else's, and how many is told."""
    server = Server(TERMS)
    *adas, bobs = signed_in(server, "ada", "ada", "ada", "bob")
    assert do(server, manage.end_user, "ada") == 3
    assert whose(server, *adas, bobs) == [None, None, None, "bob"]
    told = [event for event in server.events if event.name == "ended"]
    assert {event.why for event in told} == {"all of its user"}
    assert sorted(event.handle for event in told) == sorted(handles(*adas))
    assert do(server, manage.end_user, "ada") == 0


def test_all_but_one_end():
    """ASVS 7.4.3: the others end, and the one that asks lives on, under the same token."""
    server = Server(TERMS)
    first, second, third = signed_in(server, "ada", "ada", "ada")
    before = server.record(second)
    assert do(server, manage.end_user, "ada", but=token_of(second).handle) == 2
    assert whose(server, first, second, third) == [None, "ada", None]
    assert server.record(second) == before
    assert {event.why for event in server.events if event.name == "ended"} == {"others"}
    assert do(server, manage.end_user, "ada", but=token_of(second).handle) == 0


def test_all_but_one_that_is_anothers():
    """A handle that is no session of the user's spares none."""
    server = Server(TERMS)
    first, bobs = signed_in(server, "ada", "bob")
    assert do(server, manage.end_user, "ada", but=token_of(bobs).handle) == 1
    assert whose(server, first, bobs) == [None, "bob"]


def test_the_session_that_asks_ends_the_others():
    """ASVS 7.4.3: a user ends all sessions but the one that asks, whose token stays."""
    server = Server(TERMS)
    first, second, bobs = signed_in(server, "ada", "ada", "bob")
    session = server.request(second)
    assert do(server, manage.end_others, session) == 1
    assert server.commit(session) == NOTHING
    assert whose(server, first, second, bobs) == [None, "ada", "bob"]
    session = server.request()
    with pytest.raises(NotSignedIn):
        do(server, manage.end_others, session)


def test_nobody_can_tell_whose_the_others_are():
    """Where pages go on without the store, ending the others fails as what it is, an outage."""
    server = Server(TERMS, go_on_without_store=True)
    (cookie,) = signed_in(server, "ada")
    server.store.down = True
    with pytest.raises(StoreUnavailable):
        do(server, manage.end_others, server.request(cookie))


def test_a_user_logs_out_while_all_others_end():
    """What was ended by somebody else meanwhile is not counted, nor told, twice."""
    server = Server(TERMS)
    first, second = signed_in(server, "ada", "ada")
    server.store.meanwhile["retire"] = [
        lambda: server.store.retire(token_of(first).key, ended=1, expires=2)
    ]
    assert do(server, manage.end_user, "ada") == 1
    assert [event.handle for event in server.events] == handles(second)
    assert server.visit(second, clear) == NOTHING


@pytest.mark.parametrize("limit", [1, 2, 3, 500])
def test_everybodys_sessions_end(limit):
    """ASVS 7.4.5: everybody's sessions end, page by page, and how many is told."""
    server = Server(TERMS)
    cookies = signed_in(server, "ada", "ada", "bob")
    cookies += [server.stored(a=1), server.stored(a=2)]
    server.visit(cookies[0], clear)
    server.forget()
    page = server.store.page
    server.store.page = lambda after=b"": page(after, limit=limit)
    assert end_all(server) == 4
    assert server.live() == 0
    assert [event.why for event in server.events] == ["everybody's"] * 4
    assert end_all(server) == 0


def test_an_empty_page_is_not_the_last():
    """A page without records may have others after it."""
    server = Server(TERMS)
    signed_in(server, "ada")
    records = list(server.store.records.values())
    pages = {b"": Page(records=[], after=b"1"), b"1": Page(records=records)}
    server.store.page = lambda after=b"": pages[after]
    assert end_all(server) == 1


def test_who_ended_can_come_back():
    """Trap 44: somebody whose sessions were ended can log in again at once."""
    server = Server(TERMS)
    (cookie,) = signed_in(server, "ada")
    do(server, manage.end_user, "ada")
    outcome = server.visit(cookie, sign_in("ada"))
    assert whose(server, outcome.token) == ["ada"]
    assert server.visit(outcome.token, clear) == DELETED


def test_the_store_fails_in_between():
    """An outage is an error: what was ended until then stays so, and it can be done again."""
    server = Server(TERMS)
    signed_in(server, "ada", "ada", "ada")
    retire = server.store.retire

    def once(*key: Any, **times: Any) -> bool:
        server.store.down = server.live() < 3
        return retire(*key, **times)

    server.store.retire = once
    with pytest.raises(StoreUnavailable):
        do(server, manage.end_user, "ada")
    server.store.retire, server.store.down = retire, False
    assert server.live() == 2
    assert do(server, manage.end_user, "ada") == 2


# Purging


class Purging(ModelStore):
    """A store from which so many expired records can be removed."""

    def __init__(self, expired: int) -> None:
        super().__init__()
        self.expired = expired

    def purge(self, now: int, *, limit: int = 500) -> Purged:
        removed = min(limit, self.expired)
        self.expired -= removed
        self.asked.append(f"purge {now}")
        return Purged(removed=removed)

    def count_expired(self, now: int) -> int:
        return self.expired + now


def test_purging_goes_batch_by_batch():
    """What has expired is removed in batches, until nothing is left."""
    store = Purging(1100)
    assert list(manage.purge(store, 7)) == [500, 500, 100]
    assert store.asked == ["purge 7"] * 4
    assert list(manage.purge(store, 7)) == []


def test_what_has_expired_is_counted():
    """How many have expired is what the store says, at the time that it is asked for."""
    assert manage.count_expired(Purging(5), 100) == 105


def test_a_store_that_removes_them_by_itself():
    """Where a store removes what expired by itself there is nothing to count or remove."""
    assert manage.count_expired(ModelStore(), 7) is None
    assert list(manage.purge(ModelStore(), 7)) == []


def test_listing_and_ending_are_no_activity():
    """To be listed extends no session."""
    server = Server(TERMS)
    (cookie,) = signed_in(server, "ada")
    server.clock.advance(1000)
    before = server.record(cookie)
    do(server, manage.sessions_of, "ada")
    do(server, manage.end_user, "ada", but=before.handle)
    assert server.record(cookie) == before
    assert server.visit(cookie, write(a=1)) == NOTHING


def test_what_is_over_by_one_policy_is_ended_by_all():
    """What is over here may go on under another policy on the same store: it is ended too."""
    server = Server(TERMS)
    (cookie,) = signed_in(server, "ada")
    server.engine.terms = replace(TERMS, absolute=30)
    assert do(server, manage.sessions_of, "ada") == []
    assert do(server, manage.end_user, "ada") == 1
    server.engine.terms = TERMS
    assert whose(server, cookie) == [None]


def test_ending_all_while_others_begin():
    """What begins while all are ended is left alone, or it would never be over."""
    server = Server(TERMS)
    signed_in(server, "ada", "bob")
    before = server.clock()
    server.clock.advance(TERMS.in_flight)
    soon = signed_in(server, "ada")
    server.clock.advance(1)
    later = signed_in(server, "ada")
    times = iter([before, server.clock(), server.clock()])
    assert run(server.store, manage.end_all(server.engine, lambda: next(times))) == 3
    assert whose(server, *soon, *later) == [None, "ada"]


def test_what_is_ended_late_is_remembered_as_long():
    """Where ending all takes long, what is ended last is ended then, and remembered from then."""
    server = Server(TERMS)
    (cookie,) = signed_in(server, "ada")
    began = server.clock()
    times = iter([began, began + 120])
    assert run(server.store, manage.end_all(server.engine, lambda: next(times))) == 1
    record = server.record(cookie)
    assert (record.ended, record.expires) == (began + 120, began + 120 + TERMS.tombstone)


def test_ending_all_when_a_clock_was_set_back():
    """What began by a clock that was set back since is ended like all."""
    server = Server(TERMS)
    cookies = signed_in(server, "ada")
    server.clock.advance(-HOUR)
    assert end_all(server) == 1
    assert whose(server, *cookies) == [None]


def test_ending_all_while_others_begin_by_a_clock_that_is_ahead():
    """What begins meanwhile by a clock ahead, as far as clocks may differ, is left alone."""
    server = Server(TERMS)
    began = server.clock()
    server.clock.advance(TERMS.in_flight + 1)
    now = server.clock()
    server.clock.advance(TERMS.in_flight)
    ahead = signed_in(server, "ada")
    server.clock.advance(1)
    set_back = signed_in(server, "ada")
    times = iter([began, now, now])
    assert run(server.store, manage.end_all(server.engine, lambda: next(times))) == 1
    assert whose(server, *ahead, *set_back) == ["ada", None]


def test_ending_all_ends_no_limit_of_revocations():
    """What another application keeps of ended sessions in the same store stays as it is."""
    server = Server(TERMS)
    limit = bare(key_of_user("ada"), server.clock(), 1 << 31, seen=server.clock())
    server.store.create(limit)
    assert end_all(server) == 0
    assert server.store.load(limit.key) == limit


def test_ending_sessions_of_a_store_that_is_away():
    """A request that ends many sessions waits for some time limits, not for one a session."""
    server = Server(TERMS)
    signed_in(server, *["ada"] * 20)
    retire, asked = server.store.retire, []

    def fail(*given: Any, **settings: Any) -> bool:
        asked.append(given)
        if len(asked) == 2:  # one that is reached tells that the store is not away altogether
            return retire(*given, **settings)
        raise StoreUnavailable("away")  # noqa: EM101  # a reason

    server.store.retire = fail
    with pytest.raises(StoreUnavailable, match="away"):
        do(server, manage.end_user, "ada")
    assert len(asked) == 10
    assert server.live() == 19


def test_one_end_that_fails_keeps_no_other_from_ending():
    """Where the store fails to end one session, the others end all the same; the error tells."""
    server = Server(TERMS)
    cookies = signed_in(server, "ada", "ada", "ada")
    retire, failed = server.store.retire, []

    def fail_once(*given: Any, **settings: Any) -> bool:
        if not failed:
            failed.append(given)
            raise StoreUnavailable("away")  # noqa: EM101  # a reason
        return retire(*given, **settings)

    server.store.retire = fail_once
    with pytest.raises(StoreUnavailable, match="away"):
        do(server, manage.end_user, "ada")
    assert sorted(whose(server, *cookies), key=str) == [None, None, "ada"]
    assert do(server, manage.end_user, "ada") == 1
