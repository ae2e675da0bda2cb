"""Sessions in cookies that are ended before their time; what each process knows of that."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from sealed_cookies import (
    DAY,
    HOUR,
    TERMS,
    Browser,
    Server,
    a_signed_cookie,
    is_set,
    nothing,
    set_by,
)
from stored_sessions import (
    DELETED,
    NOTHING,
    START,
    clear,
    clear_and,
    log_in,
    make_permanent,
    pop,
    reauthenticate,
    regenerate,
    sign_in,
    write,
)

from holdfast import CookieTooLarge, NotSignedIn, SessionConflict, StoreUnavailable, manage
from holdfast.core import knowledge
from holdfast.core.record import Record
from holdfast.core.revocations import Revocations, key_of_user
from holdfast.core.terms import Terms

MAX_AGE = 2
SKEW = TERMS.in_flight
WITHHOLDING = replace(TERMS, absolute=DAY, reauthenticate=True)


def processes(count: int = 2, terms: Terms = TERMS, **settings: Any) -> list[Server]:
    """Return processes on one store."""
    first = Server(terms, max_age=MAX_AGE, **settings)
    return [
        first,
        *(Server(terms, max_age=MAX_AGE, beside=first, **settings) for _ in range(count - 1)),
    ]


def opens(server: Server, *cookies: str | None) -> list[bool]:
    """Return which of some cookies open a session."""
    return [not server.request(cookie).new for cookie in cookies]


def test_an_ended_session_is_not_told_as_loaded():
    """What was ended is refused, and nothing else is told of it."""
    here, there = processes()
    cookie = here.kept(sign_in("ada"))
    here.visit(cookie, clear)
    for server in (here, there):
        server.forget()
        assert server.request(cookie).new
        assert [name for name, _ in server.told()] == ["refused"]


def test_a_user_who_leaves_a_session_that_was_ended():
    """Trap 3: popped as the last key it deletes no cookie, for the browser may have a newer one."""
    here, there = processes()
    cookie = here.kept(sign_in("ada"))
    there.sees(cookie)
    here.visit(cookie, clear)
    assert there.visit(cookie, pop("_user_id")) == NOTHING
    cookie = here.kept(sign_in("ada"))
    there.sees(cookie)
    assert there.visit(cookie, pop("_user_id")) == DELETED


# Ending one session


def test_a_logout_ends_every_copy_of_the_cookie():
    """Promise 1: after a logout no cookie that the session ever had opens anything."""
    server, browser = Server(max_age=MAX_AGE), Browser()
    browser.visit(server, sign_in("ada"))
    for _ in range(3):
        server.clock.advance(5)
        browser.visit(server, write(n=server.clock.now))
    copies = list(browser.copies)
    assert opens(server, *copies) == [True] * 4
    server.forget()
    assert browser.visit(server, clear) == DELETED
    assert opens(server, *copies) == [False] * 4
    assert server.told()[0] == ("ended", "")
    for copy in copies:
        assert server.visit(copy, write(evil=1)) == NOTHING


@pytest.mark.parametrize("view", [clear, pop("_user_id"), lambda session: session.log_out()])
def test_whoever_leaves_ends_the_session(view):
    """A logout is clear(), log_out(), or the user taken out with nothing left."""
    server = Server(max_age=MAX_AGE)
    cookie = server.kept(sign_in("ada"))
    assert server.visit(cookie, view) == DELETED
    assert opens(server, cookie) == [False]


def test_what_was_ended_is_known_here_at_once_and_elsewhere_within_the_bound():
    """The process that ended it knows at once, each other one within ``max_age``."""
    here, there, unaware = processes(3)
    cookie = here.kept(sign_in("ada"))
    here.clock.advance(100)
    assert opens(here, cookie) == opens(there, cookie) == [True]
    here.visit(cookie, clear)
    assert opens(here, cookie) == [False]
    here.clock.advance(MAX_AGE - 1)
    assert opens(there, cookie) == [True]
    assert opens(unaware, cookie) == [False]
    here.clock.advance(1)
    assert opens(there, cookie) == [False]


def test_an_ended_session_is_late_and_then_unknown():
    """A request that may have been sent before is late: it sets no cookie and writes nothing.

    Later ones have a cookie that is as good as none.
    """
    server = Server(max_age=MAX_AGE)
    cookie = server.kept(sign_in("ada"))
    server.visit(cookie, clear)
    server.clock.advance(SKEW)
    server.forget()
    assert server.visit(cookie, write(flash=1)) == NOTHING
    assert server.told() == [("refused", "late"), ("dropped", "late")]
    server.clock.advance(1)
    newer = set_by(server.visit(cookie, write(flash=1)))
    assert server.sees(newer) == {"flash": 1}
    assert server.record(newer).key != server.record(cookie).key


@pytest.mark.parametrize(
    ("view", "told"),
    [
        (nothing, []),
        (len, []),
        (write(a=1), [("dropped", "late")]),
        (regenerate, []),
        (reauthenticate(), []),
        (pop("b"), [("dropped", "late")]),
        (clear, []),
        (clear_and(a=1), [("dropped", "late")]),
    ],
)
@pytest.mark.parametrize("aware", [True, False])
def test_a_session_that_is_ended_while_a_request_runs(view, told, aware):
    """Trap 3: the request sets no cookie, deletes none, and what it wrote is dropped.

    Where this process does not know of the end yet, what it writes is under the same id, and dead.
    """
    here, there = processes()
    cookie = here.kept(sign_in("ada", b=1))
    there.sees(cookie)
    server = here if aware else there
    session = server.request(cookie)
    view(session)
    here.visit(cookie, clear)
    server.forget()
    outcome = server.commit(session)
    if aware or not told or outcome == NOTHING:
        assert outcome == NOTHING
        assert [each for each in server.told() if each[0] != "refused"] == told
        assert not told or session == {}
    here.clock.advance(MAX_AGE)
    assert opens(there, cookie, outcome.token or None) == [False, False]
    assert server.commit(session) in {NOTHING, outcome}


@pytest.mark.parametrize("aware", [True, False])
@pytest.mark.parametrize("end", ["session", "user", "all"])
@pytest.mark.parametrize("view", [regenerate, reauthenticate(), pop("_user_id"), make_permanent])
def test_nothing_revives_an_ended_session(end, view, aware):
    """Promise 1: what has a cookie issued anew asks for the truth of the moment."""
    here, there = processes()
    cookie = here.kept(sign_in("ada", a=1))
    server = here if aware else there
    server.sees(cookie)
    session = server.request(cookie)
    view(session)
    if end == "session":
        here.visit(cookie, clear)
    else:
        here.end_user("ada") if end == "user" else here.end_all()
    outcome = server.commit(session)
    here.clock.advance(MAX_AGE)
    assert opens(there, outcome.token or None, cookie) == [False, False]


@pytest.mark.parametrize("aware", [True, False])
@pytest.mark.parametrize("user", ["ada", "bob"])
def test_a_login_is_never_dropped(aware, user):
    """Trap 44: a login in an ended session begins another, with what the request wrote alone."""
    here, there = processes()
    cookie = here.kept(sign_in("ada", left=1))
    server = here if aware else there
    session = server.request(cookie)
    session["mine"] = 2
    session.log_in(user)
    here.visit(cookie, clear)
    newer = set_by(server.commit(session))
    here.clock.advance(MAX_AGE)
    assert there.sees(newer) == here.sees(newer) == {"_user_id": user, "mine": 2}
    assert server.record(newer).key != server.record(cookie).key
    assert opens(there, cookie) == [False]


@pytest.mark.parametrize("aware", [True, False])
def test_a_login_after_clearing_is_never_dropped(aware):
    """Who logs out and in again in one request is in, whatever became of the session meanwhile."""
    here, there = processes()
    cookie = here.kept(sign_in("ada", left=1))
    server = here if aware else there
    session = server.request(cookie)
    session.get("")
    session.clear()
    session.log_in("bob")
    here.visit(cookie, clear)
    newer = set_by(server.commit(session))
    here.clock.advance(MAX_AGE)
    assert there.sees(newer) == {"_user_id": "bob"}


@pytest.mark.parametrize("aware", [True, False])
@pytest.mark.parametrize("view", [pop("_user_id"), clear, clear_and(flash=1)])
def test_a_logout_is_never_dropped(view, aware):
    """By a cookie that was renewed meanwhile a logout ends the session, with its newest cookie."""
    here, there = processes()
    cookie = here.kept(sign_in("ada", left=1))
    server = here if aware else there
    session = server.request(cookie)
    session.get("")
    view(session)
    newer = set_by(here.visit(cookie, reauthenticate()))
    outcome = server.commit(session)
    assert outcome == DELETED or server.sees(outcome.token) == {"flash": 1}
    here.clock.advance(MAX_AGE)
    assert opens(here, cookie, newer) == opens(there, cookie, newer) == [False, False]


def test_clearing_an_ended_session_says_nothing():
    """Who comes second to end a session neither deletes the cookie nor ends anything."""
    here, there = processes()
    cookie = here.kept(sign_in("ada"))
    session = there.request(cookie)
    session.get("")
    session.clear()
    here.visit(cookie, clear)
    assert there.commit(session) == NOTHING
    assert there.told() == []
    session = there.request(cookie)
    session.clear()
    session["b"] = 2
    here.clock.advance(SKEW + 1)
    assert here.visit(cookie, clear) == NOTHING


def test_an_older_cookie_ends_the_session_too():
    """Whoever ever held one of its cookies can end a session, however it was renewed meanwhile."""
    server = Server(max_age=MAX_AGE)
    old = server.kept(write(a=1))
    new = set_by(server.visit(old, sign_in("ada")))
    for later in (0, SKEW + 1):
        server.clock.advance(later)
        newer = set_by(server.visit(new, sign_in("ada")))
        assert opens(server, old, newer) == [False, True]
        assert server.visit(old, clear) == DELETED
        assert opens(server, newer) == [False]
        old = server.kept(write(a=1))
        new = set_by(server.visit(old, sign_in("ada")))


@pytest.mark.parametrize("view", [clear, clear_and(flash=1)])
def test_a_cookie_that_is_over_ends_its_session_too(view):
    """A logout by a cookie that is idle, or that this process can't decode, is one all the same."""
    server = Server(max_age=MAX_AGE)
    cookie = server.kept(sign_in("ada"))
    server.clock.advance(HOUR - 1)
    newer = set_by(server.visit(cookie))
    server.clock.advance(1)
    assert opens(server, cookie, newer) == [False, True]
    outcome = server.visit(cookie, view)
    assert outcome == DELETED or server.sees(outcome.token) == {"flash": 1}
    assert opens(server, newer) == [False]


def test_a_withheld_session_ends():
    """A session that waits for its user is ended as any other, by itself and with its user's."""
    here, there = processes(terms=WITHHOLDING)
    cookies = [here.kept(sign_in("ada")) for _ in range(2)]
    here.clock.advance(HOUR)
    assert [there.request(each).withheld_user_id for each in cookies] == ["ada"] * 2
    assert here.visit(cookies[0], clear) == DELETED
    here.clock.advance(MAX_AGE)
    assert [there.request(each).withheld_user_id for each in cookies] == [None, "ada"]
    here.end_user("ada")
    here.clock.advance(MAX_AGE)
    assert there.request(cookies[1]).withheld_user_id is None


def test_a_logout_of_a_signed_cookies_session():
    """What a signed cookie became and was ended stays so, as long as that cookie can come back."""
    server = Server(max_age=MAX_AGE)
    signed = a_signed_cookie(expires=START + 3 * DAY, _user_id="ada")
    session = server.with_signed(signed)
    session.get("")
    cookie = set_by(server.commit(session))
    other = server.with_signed(signed)
    other.clear()
    assert server.commit(other) == DELETED
    assert opens(server, cookie) == [False]
    session = server.with_signed(signed)
    assert session.new
    assert server.commit(session) == NOTHING
    (tombstone,) = server.store.records.values()
    assert tombstone.expires >= START + 3 * DAY


def test_a_signed_cookie_dies_by_a_login():
    """So does the signed cookie itself when its session has a cookie issued anew."""
    server = Server(max_age=MAX_AGE)
    signed = a_signed_cookie(a=1)
    session = server.with_signed(signed)
    session.log_in("ada")
    cookie = set_by(server.commit(session))
    assert server.with_signed(signed).new
    assert server.sees(cookie) == {"a": 1, "_user_id": "ada"}
    server.end_user("ada")
    assert opens(server, cookie) == [False]


def test_a_signed_cookie_that_died_ends_its_session():
    """A logout by the signed cookie ends what it became, though it is good no more itself."""
    server = Server(max_age=MAX_AGE)
    signed = a_signed_cookie(a=1)
    session = server.with_signed(signed)
    session.log_in("ada")
    cookie = set_by(server.commit(session))
    session = server.with_signed(signed)
    session.clear()
    assert server.commit(session) == DELETED
    assert opens(server, cookie) == [False]
    session = server.with_signed(signed)
    session.clear()
    assert server.commit(session) == NOTHING


@pytest.mark.parametrize("end", ["user", "all"])
def test_a_signed_cookie_ends_with_its_users_and_everybodys(end):
    """Whenever it was signed, on whatever server; not if it was signed well after that."""
    server = Server(max_age=MAX_AGE)
    signed = [START - HOUR, START, START + SKEW, 0]
    cookies = [a_signed_cookie(signed=time, _user_id="ada") for time in signed]
    assert [server.with_signed(cookie).new for cookie in cookies] == [False] * 4
    server.end_user("ada") if end == "user" else server.end_all()
    assert [server.with_signed(cookie).new for cookie in cookies] == [True] * 4
    later = a_signed_cookie(signed=START + SKEW + 1, _user_id="ada")
    session = server.with_signed(later)
    assert session.user_id == "ada"
    cookie = set_by(server.commit(session))
    server.clock.advance(MAX_AGE)
    assert opens(server, cookie) == [True]
    server.end_user("ada") if end == "user" else server.end_all()
    assert opens(server, cookie) == [False]
    assert server.with_signed(later).new


# Older cookies


@pytest.mark.parametrize("view", [regenerate, sign_in("ada"), sign_in("bob"), reauthenticate()])
def test_older_cookies_die_where_one_is_issued_anew(view):
    """ASVS 7.2.4: whoever kept a copy of an older cookie has nothing, the newer one goes on."""
    here, there = processes()
    old = here.kept(sign_in("ada"))
    copy = set_by(here.visit(old, write(a=1)))
    assert opens(there, old, copy) == [True, True]
    new = set_by(here.visit(copy, view))
    assert opens(here, old, copy, new) == [False, False, True]
    here.clock.advance(MAX_AGE)
    assert opens(there, old, copy, new) == [False, False, True]
    newer = set_by(there.visit(new, write(b=2)))
    assert opens(here, new, newer) == [True, True]
    again = set_by(there.visit(newer, view))
    here.clock.advance(MAX_AGE)
    assert opens(here, old, new, newer, again) == [False, False, False, True]


def test_a_newer_cookie_is_good_where_an_older_one_is_known():
    """No process takes what it knows of an older cookie for the newer one, or the other way."""
    here, there = processes()
    old = here.kept(write(a=1))
    assert opens(there, old) == [True]
    new = set_by(here.visit(old, sign_in("ada")))
    for _ in range(3):
        assert opens(there, new) == opens(here, new) == [True]
        here.clock.advance(MAX_AGE)
        assert opens(there, old) == opens(here, old) == [False]


def test_a_newer_cookie_is_issued_anew_where_an_older_one_is_known():
    """What a process remembers of the older cookie keeps nobody from going on with the newer."""
    here, there = processes()
    old = here.kept(sign_in("ada"))
    assert opens(there, old) == [True]
    new = set_by(here.visit(old, regenerate))
    newest = set_by(there.visit(new, regenerate))
    assert opens(there, new, newest) == [False, True]


def test_a_request_is_late_after_the_end_not_after_the_renewal():
    """What was renewed a while ago and is ended now was in flight just now."""
    here, there = processes()
    cookie = set_by(here.visit(here.kept(sign_in("ada")), regenerate))
    here.clock.advance(100)
    assert here.visit(cookie, clear) == DELETED
    assert there.visit(cookie, write(flash=1)) == NOTHING
    here.clock.advance(SKEW + 1)
    assert is_set(there.visit(cookie, write(flash=1)))


def test_two_requests_that_regenerate_at_once():
    """One of them does; what the other one wrote is dropped, and the browser keeps its cookie."""
    for second in processes():
        first = second if second.store.records else Server(max_age=MAX_AGE, beside=second)
        cookie = first.kept(sign_in("ada"))
        one, two = first.request(cookie), second.request(cookie)
        for session in (one, two):
            session.regenerate()
            session["a"] = 1
        kept = set_by(first.commit(one))
        assert second.commit(two) == NOTHING
        first.clock.advance(MAX_AGE)
        assert opens(first, cookie, kept) == opens(second, cookie, kept) == [False, True]


def test_a_double_clicked_login():
    """Trap 44: both answers of a login sent twice leave the browser with a session that works."""
    for kept in (0, 1):
        here, there = processes()
        cookie = here.kept(write(cart=1))
        sessions = [here.request(cookie), there.request(cookie)]
        for session in sessions:
            session.log_in("ada")
        cookies = [
            set_by(server.commit(session))
            for server, session in zip((here, there), sessions, strict=True)
        ]
        here.clock.advance(MAX_AGE)
        for server in (here, there):
            assert server.request(cookies[kept]).user_id == "ada"
            assert opens(server, cookie) == [False]


def test_a_race_for_the_limit_of_a_session():
    """A session that is renewed or ended between two steps of a renewal is not renewed by it."""
    for name in ("create", "save"):
        for view in (regenerate, clear):
            here, there = processes()
            cookie = here.kept(sign_in("ada"))
            if name == "save":
                cookie = set_by(here.visit(cookie, regenerate))
            there.sees(cookie)
            kept: list[Any] = []
            here.store.meanwhile[name].append(
                lambda there=there, cookie=cookie, view=view, kept=kept: kept.append(
                    there.visit(cookie, view)
                )
            )
            assert here.visit(cookie, regenerate) == NOTHING
            here.clock.advance(MAX_AGE)
            assert opens(here, kept[0].token or None) == [view is regenerate]


def test_a_race_for_the_end_of_a_session():
    """A session that is renewed while it is ended is ended, with its newest cookie."""
    here, there = processes()
    cookie = here.kept(sign_in("ada"))
    kept: list[Any] = []
    here.store.meanwhile["create"].append(lambda: kept.append(there.visit(cookie, regenerate)))
    assert here.visit(cookie, clear) == DELETED
    here.clock.advance(MAX_AGE)
    assert opens(there, kept[0].token) == [False]


# Ending a user's, and everybody's


def test_all_sessions_of_a_user_end():
    """ASVS 7.4.2: all cookies that a user has end, nobody else's; nobody counts them."""
    here, there = processes()
    adas = [here.kept(sign_in("ada")) for _ in range(3)]
    others = [here.kept(sign_in("bob")), here.kept(write(a=1))]
    assert opens(there, *adas, *others) == [True] * 5
    assert here.end_user("ada") is None
    assert here.told() == [("ended", "all of its user")]
    assert opens(here, *adas, *others) == [False] * 3 + [True] * 2
    here.clock.advance(MAX_AGE)
    assert opens(there, *adas, *others) == [False] * 3 + [True] * 2


def test_everybodys_sessions_end():
    """ASVS 7.4.5: every cookie ends, of users and of nobody."""
    here, there = processes()
    cookies = [here.kept(sign_in("ada")), here.kept(sign_in("bob")), here.kept(write(a=1))]
    assert opens(there, *cookies) == [True] * 3
    assert here.end_all() is None
    assert here.told() == [("ended", "everybody's")]
    assert opens(here, *cookies) == [False] * 3
    here.clock.advance(MAX_AGE)
    assert opens(there, *cookies) == [False] * 3


def test_the_end_of_everybodys_sessions_is_never_forgotten():
    """What was issued before is over for ever, whatever its cookie says."""
    server = Server(max_age=MAX_AGE)
    server.end_all()
    server.end_all()
    (limit,) = server.store.records.values()
    assert limit.expires > START + 50 * 365 * DAY


def test_each_end_has_requests_that_were_in_flight():
    """What a later limit ends was good until then: its requests are late, not unknown."""
    server = Server(max_age=MAX_AGE)
    for end in (server.end_all, lambda: server.end_user("ada")):
        end()
        server.clock.advance(100)
        cookie = server.kept(sign_in("ada"))
        end()
        assert server.visit(cookie, write(flash=1)) == NOTHING
        server.clock.advance(SKEW + 1)
        assert is_set(server.visit(cookie, write(flash=1)))


def test_the_others_of_a_user_end():
    """ASVS 7.4.3: the session that asks goes on with a new cookie, all others end."""
    here, there = processes()
    adas = [here.kept(sign_in("ada", n=n)) for n in range(3)]
    bobs = here.kept(sign_in("bob"))
    assert opens(there, *adas) == [True] * 3
    session = here.request(adas[1])
    assert here.end_others(session) is None
    newer = set_by(here.commit(session))
    for server in (here, there):
        assert opens(server, newer, bobs) == [True] * 2
        here.clock.advance(MAX_AGE)
        assert opens(server, *adas) == [False] * 3
        assert server.sees(newer) == {"_user_id": "ada", "n": 1}
    assert here.told() == [
        ("ended", "all of its user"),
        ("regenerated", "asked for"),
        *here.told()[2:],
    ]
    # Once more, with the next cookie.
    session = there.request(newer)
    there.end_others(session)
    newest = set_by(there.commit(session))
    here.clock.advance(MAX_AGE)
    assert opens(here, newer, newest) == [False, True]


def test_the_others_end_for_who_has_just_logged_in():
    """A login that ends the others, as one that changes a password, lives on."""
    server = Server(max_age=MAX_AGE)
    before = server.kept(sign_in("ada"))
    for cookie in (None, server.kept(write(a=1)), server.kept(sign_in("bob"))):
        session = server.request(cookie)
        session.log_in("ada")
        server.end_others(session)
        newer = set_by(server.commit(session))
        assert opens(server, before, newer) == [False, True]
        before = newer


def test_nobody_has_no_others():
    """There are no others of nobody's."""
    server = Server(max_age=MAX_AGE)
    for cookie in (None, server.kept(write(a=1))):
        with pytest.raises(NotSignedIn):
            server.end_others(server.request(cookie))
    assert server.store.records == {}


@pytest.mark.parametrize("end", ["session", "user", "others", "all"])
def test_who_was_ended_outlives_nothing(end):
    """Of a session that was ended meanwhile nothing survives by ending the others."""
    here, there = processes()
    cookie, other = (here.kept(sign_in("ada")) for _ in range(2))
    session = there.request(cookie)
    assert session.user_id == "ada"
    kept = None
    if end == "session":
        here.visit(cookie, clear)
    elif end == "others":
        first = here.request(other)
        here.end_others(first)
        kept = set_by(here.commit(first))
    else:
        here.end_user("ada") if end == "user" else here.end_all()
    there.end_others(session)
    assert there.commit(session) == NOTHING
    here.clock.advance(MAX_AGE)
    assert opens(here, cookie, other, kept) == opens(there, cookie, other, kept) == [False] * 3


@pytest.mark.parametrize("end", ["user", "all", "session"])
def test_nothing_outlives_what_comes_after_it_ended_the_others(end):
    """A session outlives the end of the others that it asked for, and no other one."""
    here, there = processes()
    cookie = here.kept(sign_in("ada"))
    session = there.request(cookie)
    there.end_others(session)
    if end == "session":
        here.visit(cookie, clear)
    else:
        here.end_user("ada") if end == "user" else here.end_all()
    assert there.commit(session) == NOTHING
    here.clock.advance(MAX_AGE)
    assert opens(here, cookie) == opens(there, cookie) == [False]


def test_two_that_end_the_others_at_once():
    """Of two sessions that end each other one goes on, whichever limit comes last."""
    here, there = processes()
    cookies = [here.kept(sign_in("ada")) for _ in range(2)]
    one, two = here.request(cookies[0]), there.request(cookies[1])
    assert one.user_id == two.user_id == "ada"
    here.end_others(one)
    there.end_others(two)
    outcomes = [here.commit(one), there.commit(two)]
    here.clock.advance(MAX_AGE)
    tokens = [outcome.token or None for outcome in outcomes]
    assert sum(opens(here, *tokens)) <= 1
    assert opens(here, *cookies) == opens(there, *cookies) == [False, False]


@pytest.mark.parametrize("ahead", [0, SKEW, -SKEW])
@pytest.mark.parametrize("end", ["user", "all"])
def test_whoever_logs_in_afterwards_stays(end, ahead):
    """A login in the same second, on a server whose clock differs, is after the limit.

    And what was issued before, on such a server, ended.
    """
    here = Server(max_age=MAX_AGE)
    there = Server(max_age=MAX_AGE, beside=here, ahead=ahead)
    before = [there.kept(sign_in("ada")), here.kept(sign_in("ada"))]
    assert opens(there, *before) == [True, True]
    here.end_user("ada") if end == "user" else here.end_all()
    after = [
        set_by(there.visit(None, sign_in("ada"))),
        set_by(here.visit(None, sign_in("ada"))),
        set_by(there.visit(before[0], sign_in("ada"))),
        set_by(there.visit(there.kept(write(a=1)), sign_in("ada"))),
    ]
    for _ in range(3):
        for server in (here, there):
            assert opens(server, *after) == [True] * 4
        here.clock.advance(MAX_AGE)
    assert opens(here, *before) == opens(there, *before) == [False, False]
    after = [set_by(there.visit(cookie, write(n=1))) for cookie in after]
    assert opens(here, *after) == [True] * 4


@pytest.mark.parametrize("first", ["user", "all"])
@pytest.mark.parametrize("second", ["user", "all"])
@pytest.mark.parametrize("ahead", [0, SKEW, -SKEW])
def test_what_came_between_two_limits_ends_with_the_second(first, second, ahead):
    """Ending all, a login, and ending all again, in one second: that login is over."""
    here = Server(max_age=MAX_AGE)
    there = Server(max_age=MAX_AGE, beside=here, ahead=ahead)
    cookies = []
    for end in (first, second, first, second):
        here.end_user("ada") if end == "user" else here.end_all()
        cookies.append(set_by(there.visit(None, sign_in("ada"))))
        for unaware in (0, ahead):
            server = Server(max_age=MAX_AGE, beside=here, ahead=unaware)
            assert opens(server, *cookies) == [False] * (len(cookies) - 1) + [True]


def test_an_anonymous_session_begins_after_what_is_known():
    """One that begins here after everybody's ended stays; with the store away it begins too."""
    server = Server(max_age=MAX_AGE)
    server.end_all()
    cookie = set_by(server.visit(None, write(a=1)))
    server.clock.advance(MAX_AGE)
    assert opens(server, cookie) == [True]
    server.clock.advance(MAX_AGE)
    server.away = True
    cookie = set_by(server.visit(None, write(a=1)))
    server.away = False
    assert opens(server, cookie) == [True]


def test_a_user_of_any_name_has_a_limit_of_its_own():
    """The keys of limits are all different: everybody's, and of users whatever their names."""
    names = [None, "", "ada", "\0", "holdfast: not before"]
    assert len({key_of_user(name) for name in names}) == len(names)
    assert {len(key_of_user(name)) for name in names} == {32}


def test_a_limit_that_others_set_too():
    """Of many who end a user's sessions at once each does; each limit is after the one before."""
    here, there = processes()
    for name in ("create", "save"):
        here.store.meanwhile[name].append(lambda: there.end_user("ada"))
        before = here.store.records.get(key_of_user("ada"))
        here.end_user("ada")
        limit = here.store.records[key_of_user("ada")]
        assert limit.version == (2 if before is None else before.version + 2)
        assert limit.seen >= START + SKEW + (before is not None)


def test_a_limit_that_cannot_be_set_is_an_error():
    """Where every attempt is overtaken that is told, and is no silent success."""
    server = Server(max_age=MAX_AGE)
    server.store.create = lambda _: False
    with pytest.raises(SessionConflict):
        server.end_user("ada")


# What it costs


def test_what_is_asked_and_when():
    """Promise 3: nothing within the bound; else a look for the session and for each limit."""
    server = Server(max_age=MAX_AGE)
    cookie = set_by(server.visit(None, write(a=1)))
    assert server.asked() == ["load"]
    server.visit(cookie, nothing)
    assert server.asked() == []
    server.visit(cookie)
    assert server.asked() == ["load"]
    for view in (len, write(b=2), len):
        server.visit(cookie, view)
        assert server.asked() == []
    newer = set_by(server.visit(cookie, sign_in("ada")))
    asked = server.asked()
    assert len(asked) <= 5
    assert asked.count("create") == 1
    server.clock.advance(MAX_AGE - 1)
    server.visit(newer, write(c=3))
    server.asked()
    server.visit(newer, write(c=4))
    assert server.asked() == []
    server.clock.advance(MAX_AGE)
    server.visit(newer)
    assert server.asked() == ["load"] * 3
    server.visit(newer, write(d=1))
    assert server.asked() == []
    server.visit(newer, clear)
    assert server.asked() == ["create", "retire"]
    server.visit(None, clear)
    server.visit("no cookie", clear)
    server.visit("no cookie")
    assert server.asked() == []


def test_what_is_known_of_all_serves_all():
    """What is known of everybody's limit, and of a user's, is not asked for each session."""
    server = Server(max_age=MAX_AGE)
    cookies = [server.kept(sign_in("ada")) for _ in range(5)]
    server.clock.advance(MAX_AGE)
    assert opens(server, *cookies) == [True] * 5
    assert server.asked() == ["load"] * 7


def test_a_clock_that_is_set_changes_no_age():
    """Ages are told by a clock that nobody sets, so that an hour ahead or back asks no more."""
    server = Server(max_age=MAX_AGE)
    cookie = server.kept(write(a=1))
    server.sees(cookie)
    server.asked()
    for ahead in (HOUR // 2, -HOUR // 2, 0):
        server.ahead = ahead
        assert opens(server, cookie) == [True]
        assert server.asked() == []
    server.clock.advance(MAX_AGE)
    server.ahead = -MAX_AGE
    assert opens(server, cookie) == [True]
    assert server.asked() == ["load"] * 2


def test_what_is_remembered_is_bounded(monkeypatch):
    """A process remembers so many answers, twice over; what is forgotten is asked again."""
    monkeypatch.setattr(knowledge, "_REMEMBERED", 10)
    server = Server(max_age=MAX_AGE)
    cookies = [server.kept(write(n=n)) for n in range(100)]
    ended = cookies[::7]
    for cookie in ended:
        assert server.visit(cookie, clear) == DELETED
    for _ in range(2):
        assert opens(server, *cookies) == [cookie not in ended for cookie in cookies]
        known = known_of(server)._knowledge
        assert len(known._recent) <= 10
        assert len(known._older) <= 10
        assert len(known._live) <= 10


@pytest.mark.parametrize("remembered", [2, 3, 10])
@pytest.mark.parametrize("end", ["session", "user", "all"])
@pytest.mark.parametrize("view", [regenerate, sign_in("ada"), pop("_user_id"), sign_in("bob")])
def test_what_is_forgotten_revives_nothing(view, end, remembered, monkeypatch):
    """However little a process remembers, it revives no session that was ended."""
    monkeypatch.setattr(knowledge, "_REMEMBERED", remembered)
    here, there = processes()
    cookie = here.kept(sign_in("ada", left=1))
    session = there.request(cookie)
    view(session)
    if end == "session":
        here.visit(cookie, clear)
    else:
        here.end_user("ada") if end == "user" else here.end_all()
    newer = there.commit(session).token
    assert "left" not in there.sees(newer or None)
    if newer:
        assert there.record(newer).key != there.record(cookie).key


def test_a_store_that_lost_what_it_kept():
    """Where a store lost everything, what was ended there is lost; sessions go on in every way."""
    server = Server(max_age=MAX_AGE)
    cookie = set_by(server.visit(server.kept(sign_in("ada")), regenerate))
    server.end_user("bob")
    server.end_all()
    cookie = set_by(server.visit(cookie, sign_in("ada")))
    cookie = set_by(server.visit(cookie, regenerate))
    server.store.records.clear()
    for view in (regenerate, reauthenticate(), sign_in("ada"), regenerate):
        server.clock.advance(1)
        cookie = set_by(server.visit(cookie, view))
        assert opens(server, cookie) == [True]
    session = server.request(cookie)
    server.end_others(session)
    cookie = set_by(server.commit(session))
    assert opens(server, cookie) == [True]
    server.end_user("ada")
    assert opens(server, cookie) == [False]


def test_what_a_store_lost_is_forgotten():
    """A process does not go on for ever from what no store has any more, however busy it is."""
    here = Server(max_age=MAX_AGE)
    here.end_all()
    here.end_user("ada")
    here.store.records.clear()
    there = Server(max_age=MAX_AGE, beside=here)
    for _ in range(MAX_AGE + 1):
        here.clock.advance(1)
        here.visit(None, sign_in("ada"))
    cookie = set_by(there.visit(None, sign_in("ada")))
    assert opens(here, cookie) == [True]


def test_how_long_is_remembered_what_was_ended():
    """Until the last cookie has expired by which it could come back, wherever clocks are."""
    for terms, last in ((TERMS, HOUR), (replace(TERMS, absolute=DAY), DAY)):
        here = Server(terms, max_age=MAX_AGE, stale_if_error=30)
        there = Server(terms, max_age=MAX_AGE, beside=here, ahead=SKEW)
        ended, users = here.kept(sign_in("ada")), here.kept(sign_in("bob"))
        renewed = here.kept(sign_in("cleo"))
        assert opens(there, ended, users, renewed) == [True] * 3
        here.visit(renewed, regenerate)
        here.visit(ended, clear)
        here.end_user("bob")
        here.clock.advance(MAX_AGE - 1)
        copies = [set_by(there.visit(cookie, write(n=1))) for cookie in (ended, users, renewed)]
        latest = max(there.record(copy).expires for copy in copies)
        for record in here.store.records.values():
            assert record.expires >= max(latest + SKEW, START + last + 30)


def test_a_limit_is_kept_from_when_it_was_last_set():
    """The last one to end a user's sessions, or to renew one, says how long that is remembered."""
    server = Server(max_age=MAX_AGE)
    cookie = server.kept(sign_in("ada"))
    for _ in range(3):
        server.clock.advance(HOUR - 1)
        cookie = set_by(server.visit(cookie, regenerate))
        server.end_user("bob")
        for record in server.store.records.values():
            assert record.expires >= server.now() + HOUR


def test_a_session_that_was_kept_for_longer_is_remembered_for_longer():
    """What was ended is remembered as long as its cookie says, under a shorter policy too."""
    server = Server(replace(TERMS, absolute=DAY), max_age=MAX_AGE)
    cookie = server.kept(write(a=1))
    session = server.request(cookie)
    session.lifetime = None
    server.engine.terms = replace(TERMS, idle=HOUR // 2)
    shorter = Server(Terms(idle=60), max_age=MAX_AGE, beside=server)
    assert shorter.visit(cookie, clear) == DELETED
    (tombstone,) = server.store.records.values()
    assert tombstone.expires >= START + HOUR


# The store is away


def test_an_outage_within_the_bound_is_not_noticed():
    """What is known serves for ``max_age``; then a page that looks fails, others don't notice."""
    server = Server(max_age=MAX_AGE)
    cookie = server.kept(sign_in("ada"))
    server.sees(cookie)
    server.away = True
    server.clock.advance(MAX_AGE - 1)
    assert is_set(server.visit(cookie, write(a=1)))
    server.clock.advance(1)
    assert server.visit(cookie, nothing) == NOTHING
    with pytest.raises(StoreUnavailable):
        server.visit(cookie)
    assert server.told() == [("store_unavailable", "down for tests")]
    server.away = False
    assert opens(server, cookie) == [True]


def test_the_last_known_state_serves_as_long_as_the_policy_says():
    """``stale_if_error``: so long what is known serves while the store can't be asked."""
    here = Server(max_age=MAX_AGE, stale_if_error=30)
    there = Server(max_age=MAX_AGE, stale_if_error=30, beside=here)
    ended, live = here.kept(sign_in("ada")), here.kept(sign_in("ada"))
    here.visit(ended, clear)
    assert opens(there, ended, live) == [False, True]
    there.away = True
    for _ in range(29):
        there.clock.advance(1)
        assert opens(there, ended, live) == [False, True]
        assert is_set(there.visit(live, write(n=there.clock.now)))
    there.clock.advance(1)
    with pytest.raises(StoreUnavailable):
        opens(there, live)
    there.away = False
    assert opens(there, live) == [True]


def test_what_was_ended_meanwhile_is_known_when_the_store_is_back():
    """An outage ends the bound on what was known, not the ending."""
    here = Server(max_age=MAX_AGE, stale_if_error=30)
    there = Server(max_age=MAX_AGE, stale_if_error=30, beside=here)
    cookie = here.kept(sign_in("ada"))
    assert opens(there, cookie) == [True]
    there.away = True
    here.visit(cookie, clear)
    here.clock.advance(MAX_AGE)
    assert opens(there, cookie) == [True]
    there.away = False
    here.clock.advance(MAX_AGE)
    assert opens(there, cookie) == [False]


def test_an_outage_is_not_tried_by_each_request():
    """Once the store could not be asked, nothing that is known is asked for again so soon."""
    server = Server(max_age=MAX_AGE, stale_if_error=30)
    cookie = server.kept(sign_in("ada"))
    server.sees(cookie)
    server.clock.advance(MAX_AGE)
    server.away = True
    server.asked()
    for _ in range(3):
        for asked in (["load"], [], []):
            assert opens(server, cookie) == [True]
            assert server.asked() == asked
        server.clock.advance(MAX_AGE - 1)
        assert opens(server, cookie) == [True]
        assert server.asked() == []
        server.clock.advance(1)
    server.away = False
    assert opens(server, cookie) == [True]
    assert server.asked() == ["load"] * 3


def test_who_is_remembered_needs_the_store():
    """A user who did not log in now is no login to lose, where pages go on without the store."""
    there = Server(max_age=MAX_AGE, go_on_without_store=True)
    there.away = True
    assert there.visit(None, write(_user_id="ada", _fresh=False)) == NOTHING
    assert there.told() == [
        ("store_unavailable", "down for tests"),
        ("dropped", "the store was unavailable"),
    ]
    here = Server(max_age=MAX_AGE)
    here.away = True
    for server, view in ((here, write(_user_id="ada", _fresh=False)), (there, sign_in("ada"))):
        with pytest.raises(StoreUnavailable):
            server.visit(None, view)


def test_what_is_not_known_fails_in_an_outage():
    """A session of which this process knows nothing is not taken for live."""
    here = Server(max_age=MAX_AGE, stale_if_error=30)
    there = Server(max_age=MAX_AGE, stale_if_error=30, beside=here)
    cookie, other = here.kept(sign_in("ada")), here.kept(sign_in("ada"))
    there.sees(other)
    there.away = True
    with pytest.raises(StoreUnavailable):
        opens(there, cookie)
    assert opens(there, other) == [True]


@pytest.mark.parametrize(
    "view", [clear, sign_in("ada"), reauthenticate(), regenerate, pop("_user_id"), clear_and(a=1)]
)
def test_what_ends_something_needs_the_store(view):
    """A logout, a login and what has a cookie issued anew fail in an outage, and change nothing."""
    server = Server(max_age=MAX_AGE)
    cookie = server.kept(sign_in("ada"))
    session = server.request(cookie)
    session.get("")
    view(session)
    server.away = True
    with pytest.raises(StoreUnavailable):
        server.commit(session)
    assert server.told() == [("store_unavailable", "down for tests")]
    assert server.commit(session) == NOTHING
    server.away = False
    assert server.commit(session) == NOTHING
    assert server.sees(cookie) == {"_user_id": "ada"}


@pytest.mark.parametrize("go_on", [True, False])
def test_an_outage_while_only_activity_was_to_be_noted(go_on):
    """The page has what it wanted: it is told, and the next one notes the activity."""
    server = Server(max_age=MAX_AGE, go_on_without_store=go_on)
    cookie = server.kept(sign_in("ada"))
    server.clock.advance(100)
    session = server.request(cookie)
    assert session.user_id == "ada"
    server.clock.advance(MAX_AGE)
    server.away = True
    assert server.commit(session) == NOTHING
    assert server.told() == [("store_unavailable", "down for tests")]
    session["a"] = 1
    with pytest.raises(StoreUnavailable):
        server.commit(session)
    server.away = False
    assert is_set(server.visit(cookie))


def test_pages_may_go_on_without_the_store():
    """Where the policy says so: the session looks empty, writes are dropped, no cookie is set."""
    here = Server(max_age=MAX_AGE)
    there = Server(max_age=MAX_AGE, beside=here, go_on_without_store=True)
    cookie = here.kept(sign_in("ada", a=1))
    there.away = True
    session = there.request(cookie)
    assert session == {}
    assert isinstance(session.outage, StoreUnavailable)
    assert there.commit(session) == NOTHING
    there.forget()
    assert there.visit(cookie, write(b=2)) == NOTHING
    assert there.told() == [
        ("store_unavailable", "down for tests"),
        ("dropped", "the store was unavailable"),
    ]
    signed = there.with_signed(a_signed_cookie(a=1))
    assert (signed, there.commit(signed)) == ({}, NOTHING)
    views = [sign_in("ada"), log_in(), regenerate, clear, clear_and(a=1), reauthenticate()]
    for view in (*views, lambda session: session.get("") or session.clear()):
        with pytest.raises(StoreUnavailable):
            there.visit(cookie, view)
    with pytest.raises(StoreUnavailable):
        there.end_others(there.request(cookie))
    with pytest.raises(StoreUnavailable):
        there.visit(None, sign_in("ada"))
    assert is_set(there.visit(None, write(a=1)))
    there.away = False
    assert there.sees(cookie) == {"_user_id": "ada", "a": 1}


def test_without_revocations_nothing_is_ended():
    """Without a store that keeps what was ended, a copy of a cookie is good until it expires."""
    server = Server()
    cookie = server.kept(sign_in("ada"))
    assert server.visit(cookie, clear) == DELETED
    assert opens(server, cookie) == [True]


# What goes on in one process


def known_of(server: Server) -> Revocations:
    """Return what a process knows of ended sessions."""
    assert server.revocations is not None
    return server.revocations


def test_a_look_that_overlaps_an_end_in_the_same_process():
    """A thread that asked the store before another one ended the session does not undo that."""
    for end in (
        lambda server, cookie: server.visit(cookie, clear),
        lambda server, _: server.end_user("ada"),
        lambda server, _: server.end_all(),
        lambda server, cookie: server.visit(cookie, regenerate),
    ):
        server = Server(max_age=MAX_AGE)
        cookie = server.kept(sign_in("ada"))
        server.clock.advance(MAX_AGE)
        held = server.record(cookie)
        known = known_of(server)
        steps = known.ended(held)
        asked = next(steps)
        answer = server.store.load(asked.key)
        end(server, cookie)  # by another thread, before this one has its answer
        with suppress(StopIteration):
            while True:
                asked = steps.send(answer)
                answer = server.store.load(asked.key)
        assert opens(server, cookie) == [False]


def test_an_end_between_two_looks_in_the_same_process():
    """What was known when a thread began to look is not taken for known when it is done."""
    server = Server(max_age=MAX_AGE)
    other, cookie = server.kept(write(a=1)), server.kept(write(a=1))
    server.sees(other)
    server.clock.advance(1)
    server.sees(cookie)
    server.clock.advance(1)
    steps = known_of(server).ended(server.record(cookie))
    asked = next(steps)
    assert asked.key == key_of_user(None)
    server.visit(cookie, clear)
    with suppress(StopIteration):
        steps.send(None)
    assert opens(server, cookie) == [False]


def test_a_clock_that_was_set_back():
    """What was asked by a clock that was ahead is forgotten, and not fresh when that time comes."""
    here, there = processes()
    cookie, other = here.kept(sign_in("ada")), here.kept(sign_in("bob"))
    there.ahead = HOUR // 2
    assert opens(there, cookie, other) == [True, True]
    there.ahead = 0
    assert opens(there, other) == [True]
    here.visit(cookie, clear)
    for _ in range(2):
        here.clock.advance(HOUR // 2 - 1)
        assert opens(there, cookie) == [False]


def a_limit(held: Record, seen: int, *, ended: int = 0) -> Record:
    """Return a limit of a session, or its tombstone."""
    return Record(
        key=held.key,
        secret=b"",
        data=b"",
        version=1,
        created=START,
        seen=seen,
        expires=START + HOUR,
        rotated=START,
        ended=ended,
    )


@pytest.mark.parametrize("seen", [None, 2, 3])
def test_what_a_process_learns_it_does_not_unlearn(seen):
    """An answer to what was asked before does not undo what is known to have ended since.

    One to what was asked afterwards does: the store has the last word.
    """
    server = Server(max_age=MAX_AGE)
    held = server.record(server.kept(sign_in("ada")))
    known = known_of(server)._knowledge
    older = None if seen is None else a_limit(held, seen)
    for newer in (a_limit(held, 3), a_limit(held, 1, ended=START)):
        steps = known.ask(held.key)
        next(steps)
        server.clock.advance(1)
        known.learn(held.key, newer)
        with suppress(StopIteration):
            steps.send(older)
        assert known.of(held.key) == newer
        server.clock.advance(1)
        steps = known.ask(held.key)
        next(steps)
        with suppress(StopIteration):
            steps.send(older)
        assert known.of(held.key) == older


def test_a_too_large_answer_to_a_logout_ends_the_session_or_nothing():
    """What raises CookieTooLarge was not done: it may be mended and committed."""
    server = Server(max_age=MAX_AGE)
    cookie = server.kept(sign_in("ada"))
    session = server.request(cookie)
    session.clear()
    session["b"] = "x" * 5000
    with pytest.raises(CookieTooLarge):
        server.commit(session)
    assert opens(server, cookie) == [True]
    session["b"] = 2
    assert server.sees(set_by(server.commit(session))) == {"b": 2}
    assert opens(server, cookie) == [False]


ENDS: dict[str, Callable[[Server], Any]] = {
    "user": lambda server: server.end_user("ada"),
    "all": lambda server: server.end_all(),
}


@pytest.mark.parametrize("end", ENDS)
def test_ending_needs_no_engine_to_look(end):
    """To end a user's sessions takes the store alone, whatever cookies there are."""
    here, there = processes()
    ENDS[end](here)
    cookie = set_by(there.visit(None, sign_in("ada")))
    assert opens(here, cookie) == [True]
    assert manage.end_user(here.engine, "ada", START) is not None
