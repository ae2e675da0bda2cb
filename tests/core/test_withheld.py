"""The state between: idle for too long, kept for its user to authenticate again (NIST AAL2).

The contents are withheld, and nothing is deleted; what is written meanwhile is set aside.
"""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from msgspec import structs
from stored_sessions import (
    DELETED,
    HOUR,
    NOTHING,
    START,
    Server,
    a_signed_cookie,
    clear,
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
from values import CONTENTS, exact, examples

from holdfast import NotSignedIn, UnstorableValue
from holdfast.core.events import Event
from holdfast.core.full_session import FullSession
from holdfast.core.terms import Terms

TERMS = Terms(
    idle=HOUR, absolute=24 * HOUR, reauthenticate=True, touch_every=60, renew_every=600, grace=20
)
HIDDEN = {"_user_id": "ada", "secret": "hunter2", "cart": [1]}
DAY = timedelta(days=1)


def idle(*methods: str, terms: Terms = TERMS, user: str = "ada") -> tuple[Server, str]:
    """Return a server, and the cookie of a user's session whose idle time has just passed."""
    server = Server(terms)
    cookie = server.visit(None, sign_in(user, *methods, secret="hunter2", cart=[1])).token
    server.clock.advance(terms.idle)
    server.forget()
    return server, cookie


def in_time(server: Server, cookie: str) -> FullSession:
    """Return a session that was looked at a second before it was idle; now it is."""
    server.clock.advance(-1)
    session = server.request(cookie)
    assert session["secret"] == "hunter2"
    server.clock.advance(1)
    return session


def missing(use: Callable[..., object], *given: object) -> None:
    """Check that there is no such key."""
    with pytest.raises(KeyError):
        use(*given)


# What it looks like


def test_an_idle_session_is_withheld():
    """When its idle time has passed, a user's session is nobody's and empty, and says why."""
    server, cookie = idle("password")
    server.clock.advance(-1)
    session = server.request(cookie)
    assert session == HIDDEN
    assert not session.needs_reauthentication
    assert session.withheld_user_id is None
    server.clock.advance(1)
    session = server.request(cookie)
    assert session.needs_reauthentication
    assert session == {}
    assert session.user_id is None
    assert session.withheld_user_id == "ada"
    assert not session.new
    assert server.commit(session) == NOTHING
    assert [event.why for event in server.events] == ["", "withheld"]


READS: dict[str, Callable[[FullSession], Any]] = {
    "[]": lambda session: missing(session.__getitem__, "secret"),
    "get": lambda session: session.get("secret"),
    "in": lambda session: "secret" in session,
    "len": len,
    "bool": bool,
    "iter": list,
    "reversed": lambda session: list(reversed(session)),
    "keys": lambda session: list(session.keys()),
    "values": lambda session: list(session.values()),
    "items": lambda session: list(session.items()),
    "copy": lambda session: session.copy(),
    "|": lambda session: session | {},
    "| from the right": lambda session: {} | session,
    "|=": lambda session: session.__ior__({}),
    "repr": repr,
    "str": str,
    "format": lambda session: f"{session}",
    "json": json.dumps,
    "dict": dict,
    "**": lambda session: dict(**session),
    "pickle": pickle.dumps,
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
    "pop": lambda session: session.pop("secret", None),
    "popitem": lambda session: missing(session.popitem),
    "del": lambda session: missing(session.__delitem__, "secret"),
    "setdefault": lambda session: session.setdefault("secret", None),
    "apply": lambda session: session.apply("secret", lambda value: value),
    "update of another": lambda session: (box := {}, box.update(session))[0],
    "user_id": lambda session: session.user_id,
    "methods": lambda session: sorted(session.methods),
    "authenticated_at": lambda session: session.authenticated_at,
    "is_fresh": lambda session: session.is_fresh(DAY, ["password"]),
    "permanent": lambda session: session.permanent,
    "lifetime": lambda session: session.lifetime,
    "handle": lambda session: session.handle,
    "regenerate": lambda session: session.regenerate(),
    "vars": lambda session: repr(vars(session)),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_nothing_of_it_can_be_read(read):
    """Nothing of what is withheld comes out by any way to read a session, nor is any of it lost."""
    server, cookie = idle("password")
    session = server.request(cookie)
    for _ in range(2):
        shown = read(session)
        for text in (repr(shown), repr(list(session.items()))):
            assert "hunter2" not in text
            assert "password" not in text
        assert shown is not True
    server.commit(session)
    assert server.contents(cookie) == HIDDEN


def test_nobody_is_fresh_in_it():
    """While it is withheld nobody is signed in, however lately they authenticated."""
    server, cookie = idle("password")
    session = server.request(cookie)
    assert session.methods == frozenset()
    assert session.authenticated_at is None
    assert not session.is_fresh(DAY)
    assert not session.is_fresh(DAY, ["password"])


def test_what_is_known_of_it_otherwise():
    """When it began and was last seen, and its handle, are no contents, and can be read."""
    server, cookie = idle()
    session = server.request(cookie)
    assert session.created == session.last_seen == datetime.fromtimestamp(START, UTC)
    assert session.handle == token_of(cookie).handle


def test_only_a_users_session_is_kept():
    """An anonymous session has nobody to authenticate again, and is over when it is idle."""
    server = Server(TERMS)
    cookie = server.stored(a=1)
    server.clock.advance(HOUR)
    session = server.request(cookie)
    assert session.new
    assert not session.needs_reauthentication
    assert server.told() == ["refused"]


def test_an_anonymous_session_under_a_shorter_policy():
    """Nor is an anonymous session withheld whose idle time was made shorter since: it is over."""
    server = Server(TERMS)
    cookie = server.stored(a=1)
    server.clock.advance(100)
    server.engine.terms = replace(TERMS, idle=100)
    session = server.request(cookie)
    assert session.new
    assert not session.needs_reauthentication
    assert server.events[-1] == Event("refused", token_of(cookie).handle, "idle")


def test_only_where_the_policy_says_so():
    """Where the policy ends what is idle, there is nothing between."""
    server, cookie = idle(terms=replace(TERMS, reauthenticate=False))
    session = server.request(cookie)
    assert session.new
    assert not session.needs_reauthentication
    with pytest.raises(NotSignedIn):
        session.reauthenticated()


def test_it_is_over_at_its_absolute_deadline():
    """Withheld or not, nothing outlasts its absolute lifetime; nor does looking at it help."""
    server, cookie = idle()
    server.clock.advance(22 * HOUR)
    assert server.request(cookie).needs_reauthentication
    server.visit(cookie, write(a=1))
    server.clock.advance(HOUR - 1)
    assert server.request(cookie).needs_reauthentication
    server.clock.advance(1)
    session = server.request(cookie)
    assert session.new
    assert not session.needs_reauthentication
    with pytest.raises(NotSignedIn):
        session.reauthenticated()
    assert server.store.records[token_of(cookie).key].expires == START + 24 * HOUR


def test_its_own_lifetime_decides_when():
    """A session with a lifetime of its own is withheld after that."""
    server = Server(TERMS)

    def view(session: FullSession) -> None:
        session.log_in("ada")
        session.lifetime = timedelta(hours=3)

    cookie = server.visit(None, view).token
    server.clock.advance(3 * HOUR - 1)
    assert server.request(cookie).user_id == "ada"
    server.clock.advance(1)
    assert server.request(cookie).needs_reauthentication


# Nothing of it is touched


@pytest.mark.parametrize(
    "view",
    [
        len,
        lambda session: session.permanent,
        make_permanent,
        lambda session: (len(session), setattr(session, "lifetime", timedelta(minutes=5))),
        lambda session: session.needs_reauthentication,
    ],
    ids=["len", "permanent", "permanent =", "lifetime =", "needs"],
)
def test_looking_changes_nothing(view):
    """A look at it is no activity: no touch, no renewal, no cookie; the record stays as it is."""
    server, cookie = idle()
    before = server.record(cookie)
    for _ in range(3):
        server.clock.advance(700)
        assert server.visit(cookie, view) == NOTHING
    assert server.record(cookie) == before
    assert set(server.store.asked) == {"load"}


def test_what_is_written_is_set_aside():
    """What is written is there in the next request, and is neither activity nor a renewal."""
    server, cookie = idle("password")
    before = server.record(cookie)
    server.clock.advance(700)
    assert server.visit(cookie, write(csrf="token", next="/cart")) == NOTHING
    assert server.contents(cookie) == HIDDEN
    record = server.record(cookie)
    assert record == structs.replace(before, data=record.data, version=before.version + 1)
    session = server.request(cookie)
    assert session == {"csrf": "token", "next": "/cart"}
    assert session.needs_reauthentication
    assert session.withheld_user_id == "ada"
    assert server.notes(cookie).methods == {"password": START}


def test_what_was_set_aside_is_an_ordinary_mapping():
    """It is changed, popped and emptied as any contents are; nothing but itself is."""
    server, cookie = idle()
    server.visit(cookie, write(a=[1], b=2))
    server.visit(cookie, lambda session: session["a"].append(2))
    server.visit(cookie, pop("b"))
    server.visit(cookie, lambda session: session.apply("n", lambda n: n + 1, 0))
    assert server.request(cookie) == {"a": [1, 2], "n": 1}
    server.visit(cookie, pop("a"))
    server.visit(cookie, pop("n"))
    assert server.request(cookie) == {}
    assert server.notes(cookie).aside == ""
    assert server.contents(cookie) == HIDDEN


@examples(50)
@given(CONTENTS)
def test_whatever_is_set_aside_comes_back(contents):
    """What is set aside comes back as from any session, down to types."""
    server, cookie = idle()
    session = server.request()
    session.update(contents)
    expected = exact(dict(server.request(server.commit(session).token or None)))
    server.visit(cookie, lambda session: session.update(contents))
    assert exact(dict(server.request(cookie))) == expected


def test_a_second_commit_goes_on_from_the_first():
    """Trap 38: what is written after a first commit is set aside too, and it is still withheld."""
    server, cookie = idle()
    session = server.request(cookie)
    session["a"] = 1
    server.commit(session)
    assert session.needs_reauthentication
    session["b"] = 2
    server.commit(session)
    assert server.request(cookie) == {"a": 1, "b": 2}
    assert server.contents(cookie) == HIDDEN


# reauthenticated


def test_authenticating_again_opens_it():
    """Who authenticates again finds it all, under a new token, and it is active again."""
    server, cookie = idle("password")
    session = server.request(cookie)
    session.reauthenticated(("pin",))
    assert not session.needs_reauthentication
    assert session.withheld_user_id is None
    assert session == HIDDEN
    assert session.user_id == "ada"
    assert session.is_fresh(timedelta(seconds=1), ["pin"])
    assert session.methods == {"password", "pin"}
    outcome = server.commit(session)
    assert is_set(outcome)
    assert Event("regenerated", token_of(cookie).handle, "reauthenticated") in server.events
    assert server.request(cookie).new
    session = server.request(outcome.token)
    assert session == HIDDEN
    assert session.user_id == "ada"
    assert session.methods == {"password", "pin"}
    record = server.record(outcome.token)
    assert (record.seen, record.previous, record.user_id) == (START + HOUR, b"", "ada")


def test_what_was_set_aside_joins_and_replaces_nothing():
    """What was written meanwhile, in earlier requests and in this one, replaces nothing."""
    server, cookie = idle()
    server.visit(cookie, write(secret="theirs", csrf="token", cart=[]))
    session = server.request(cookie)
    session.update(secret="mine", next="/", _permanent=True)
    session.reauthenticated()
    expected = {**HIDDEN, "csrf": "token", "next": "/", "_permanent": True}
    assert session == expected
    cookie = server.commit(session).token
    assert server.contents(cookie) == expected
    assert server.notes(cookie).aside == ""
    assert server.request(cookie) == expected


def test_what_is_written_after_authenticating_again_counts():
    """What the request writes once the contents are there replaces them, as in any."""
    server, cookie = idle()
    session = server.request(cookie)
    session["cart"] = "aside"
    session.reauthenticated()
    session["cart"].append(2)
    session["secret"] = "new"
    cookie = server.commit(session).token
    assert server.contents(cookie) == {**HIDDEN, "cart": [1, 2], "secret": "new"}


def test_a_user_cannot_be_set_aside_as_nobody():
    """What looks like nobody's id does not make the session somebody's else, nor nobody's."""
    server, cookie = idle()
    server.visit(cookie, write(_user_id=None, user_id=""))
    session = server.request(cookie)
    assert session.needs_reauthentication
    session.reauthenticated()
    assert session.user_id == "ada"
    cookie = server.commit(session).token
    assert server.record(cookie).user_id == "ada"
    assert server.request(cookie)["_user_id"] == "ada"


@pytest.mark.parametrize(
    ("used", "anew"),
    [
        (("password", "totp"), True),
        (("password", "totp", "key"), True),
        (("password",), False),
        (("pin",), False),
        ((), False),
    ],
)
def test_only_a_full_authentication_begins_anew(used, anew):
    """NIST: by all methods of the login the absolute time begins anew; by fewer it goes on."""
    server, cookie = idle("password", "totp")
    server.clock.advance(1000)
    cookie = server.visit(cookie, reauthenticate(*used)).token
    record = server.record(cookie)
    assert record.created == (START + HOUR + 1000 if anew else START)
    assert record.expires == record.created + 24 * HOUR


def test_authenticating_by_less_does_not_keep_a_session_forever():
    """Who authenticates each hour by a PIN alone is out at the absolute deadline all the same."""
    server, cookie = idle("password")
    for _ in range(22):
        cookie = server.visit(cookie, reauthenticate("pin")).token
        server.clock.advance(HOUR)
        assert server.request(cookie).needs_reauthentication
    cookie = server.visit(cookie, reauthenticate("pin")).token
    server.clock.advance(HOUR - 1)
    assert server.request(cookie).user_id == "ada"
    server.clock.advance(1)
    assert server.request(cookie).new


@pytest.mark.parametrize("used", [(), ("pin",), ("pin", "password")])
@pytest.mark.parametrize("by", [sign_in("ada"), log_in("ada"), write(_user_id="ada", _fresh=False)])
def test_a_login_by_nobody_knows_what_is_not_kept_forever(used, by):
    """Where no method of the login is known, no authentication is known to be as good."""
    server = Server(TERMS)
    cookie = server.visit(None, by).token
    server.clock.advance(HOUR)
    for _ in range(23):
        cookie = server.visit(cookie, reauthenticate(*used)).token
        assert server.request(cookie).methods == set(used)
        assert server.request(cookie).is_fresh(timedelta(), used)
        server.clock.advance(HOUR)
    assert server.request(cookie).new


# log_in, clear


@pytest.mark.parametrize("user", ["ada", "bob"])
@pytest.mark.parametrize("by", ["log_in", "assignment"])
def test_a_login_begins_anew(user, by):
    """Who logs in, the same user or another, begins anew: nothing of what was withheld is there.

    Neither are notes of how the one before had come, or how long the session was to live.
    """
    server = Server(TERMS)

    def first(session: FullSession) -> None:
        sign_in("ada", "password", **HIDDEN)(session)
        session.permanent = True
        session.lifetime = timedelta(hours=2)

    cookie = server.visit(None, first).token
    server.clock.advance(2 * HOUR)
    server.visit(cookie, write(csrf="token"))
    old, session = cookie, server.request(cookie)
    if by == "log_in":
        session.log_in(user, ("pin",))
    else:
        session["_user_id"] = user
    for _ in range(2):
        assert not session.needs_reauthentication
        assert session.withheld_user_id is None
        assert session == {"csrf": "token", "_user_id": user}
        assert session.methods == ({"pin"} if by == "log_in" else set())
        cookie = server.commit(session).token or cookie
    assert server.request(old).new
    session = server.request(cookie)
    assert session == {"csrf": "token", "_user_id": user}
    assert session.methods == ({"pin"} if by == "log_in" else set())
    assert session.is_fresh(timedelta(seconds=1))
    assert (session.permanent, session.lifetime) == (False, None)
    record = server.record(cookie)
    assert (record.created, record.seen) == (START + 2 * HOUR,) * 2
    assert record.user_id == user
    assert b"hunter2" not in record.data


@pytest.mark.parametrize(
    "end", [clear, lambda session: session.log_out()], ids=["clear", "log_out"]
)
def test_clearing_ends_it(end):
    """Promise 1: clearing it ends it, and no token opens it any more."""
    server, cookie = idle()
    server.visit(cookie, write(csrf="token"))
    session = server.request(cookie)
    end(session)
    assert not session.needs_reauthentication
    assert session.withheld_user_id is None
    with pytest.raises(NotSignedIn):
        session.reauthenticated()
    assert server.commit(session) == DELETED
    assert server.record(cookie).ended
    assert server.request(cookie).new


@pytest.mark.parametrize("items", [{"a": 1}, {"_user_id": "bob"}, {"_user_id": "ada"}])
def test_clearing_and_writing_leaves_nothing(items):
    """Who clears it and writes begins another session, in which nothing withheld is left."""
    server, cookie = idle("password")
    server.visit(cookie, write(csrf="token"))
    outcome = server.visit(cookie, clear_and(**items))
    assert is_set(outcome)
    session = server.request(outcome.token)
    assert session == items
    assert session.methods == frozenset()
    assert b"hunter2" not in server.record(outcome.token).data
    assert server.record(outcome.token).user_id == items.get("_user_id")
    assert server.notes(outcome.token).aside == ""


def test_leaving_after_authenticating_again():
    """Who authenticates again and leaves in the same request is nobody, in one more request too."""
    server, cookie = idle("password")
    session = server.request(cookie)
    session.reauthenticated(("pin",))
    session.pop("_user_id")
    cookie = server.commit(session).token
    session = server.request(cookie)
    assert session.user_id is None
    assert session.methods == frozenset()
    assert server.record(cookie).user_id is None


@pytest.mark.parametrize(
    "write_aside",
    [
        lambda session: session.update(secret="aside", next="/"),
        lambda session: (
            session.apply("secret", lambda value: value or "aside"),
            session.update(next="/"),
        ),
    ],
    ids=["assigned", "applied"],
)
@pytest.mark.parametrize("come", [log_in("bob"), sign_in("bob", "pin")], ids=["assigned", "log_in"])
def test_another_user_after_authenticating_again(write_aside, come):
    """Who opened it can't hand what was withheld to another user, by the keys of it neither."""
    server, cookie = idle("password")
    session = server.request(cookie)
    write_aside(session)
    session.reauthenticated(("totp",))
    assert session["secret"] == "hunter2"
    come(session)
    assert "totp" not in session.methods
    cookie = server.commit(session).token
    session = server.request(cookie)
    assert session == {"_user_id": "bob", "next": "/"}
    assert session.methods <= {"pin"}
    assert b"hunter2" not in server.record(cookie).data


def test_regenerating_opens_nothing():
    """A new token is no authentication: the session stays withheld, as long as before."""
    server, cookie = idle("password")
    server.visit(cookie, write(csrf="token"))
    before = server.record(cookie)
    outcome = server.visit(cookie, regenerate)
    assert is_set(outcome)
    assert server.request(cookie).new
    session = server.request(outcome.token)
    assert session.needs_reauthentication
    assert session == {"csrf": "token"}
    record = server.record(outcome.token)
    kept = ("created", "seen", "expires", "user_id")
    assert [getattr(record, name) for name in kept] == [getattr(before, name) for name in kept]
    cookie = server.visit(outcome.token, reauthenticate()).token
    assert server.request(cookie) == {**HIDDEN, "csrf": "token"}


# Several requests at once


def test_regenerating_beside_what_is_set_aside():
    """A new token on top of what another set aside opens nothing, and loses nothing."""
    server, cookie = idle("password")
    session = server.request(cookie)
    session.regenerate()
    server.visit(cookie, write(csrf="token"))
    outcome = server.commit(session)
    assert is_set(outcome)
    for seen in (session, server.request(outcome.token)):
        assert seen.needs_reauthentication
        assert seen == {"csrf": "token"}
    assert server.contents(outcome.token) == HIDDEN


def test_two_requests_set_aside_at_once():
    """Promise 2: what two requests set aside at once is merged as any contents are."""
    server, cookie = idle()
    server.visit(cookie, write(n=1, flashes=["a"]))
    first, second = server.request(cookie), server.request(cookie)
    first.update(x=1)
    first.apply("n", lambda n: n + 1)
    first["flashes"].append("b")
    second.update(y=2)
    second.apply("n", lambda n: n + 1)
    second.pop("flashes")
    server.commit(first)
    assert server.commit(second) == NOTHING
    assert second.needs_reauthentication
    assert second == server.request(cookie) == {"n": 3, "x": 1, "y": 2, "flashes": ["b"]}
    assert server.contents(cookie) == HIDDEN
    assert "merged" in server.told()


def test_a_request_in_time_that_commits_late():
    """A request that opened it in time reads and writes it, and that was activity."""
    server, cookie = idle()
    session = in_time(server, cookie)
    session["cart"].append(2)
    assert server.commit(session).token
    assert not session.needs_reauthentication
    assert server.contents(cookie) == {**HIDDEN, "cart": [1, 2]}
    assert server.record(cookie).seen == START + HOUR


@pytest.mark.parametrize("first", ["in time", "withheld"])
def test_a_request_in_time_beside_a_withheld_one(first):
    """Of a request in time and a withheld one both writes are kept, in either order.

    The one in time made the session active again: afterwards all is there, and what was set aside
    replaces nothing.
    """
    server, cookie = idle(terms=replace(TERMS, renew_every=None))
    session = in_time(server, cookie)
    session["theme"] = "dark"
    withheld = server.request(cookie)
    withheld.update(csrf="token", secret="evil", theme="evil")
    order = [session, withheld] if first == "in time" else [withheld, session]
    for each in order:
        assert server.commit(each) == NOTHING
    expected = {**HIDDEN, "theme": "dark", "csrf": "token"}
    assert server.request(cookie) == expected
    assert withheld.needs_reauthentication
    assert "hunter2" not in repr(withheld)
    assert not session.needs_reauthentication
    server.visit(cookie, write(a=1))
    assert server.contents(cookie) == {**expected, "a": 1}
    assert server.notes(cookie).aside == ""


def test_what_was_set_aside_is_consumed_once():
    """What joined since the session became active again is contents: who takes it has it alone."""
    server, cookie = idle(terms=replace(TERMS, renew_every=None))
    session, withheld = in_time(server, cookie), server.request(cookie)
    session["a"] = 1
    withheld["flashes"] = ["once"]
    server.commit(session)
    server.commit(withheld)
    one, two = server.request(cookie), server.request(cookie)
    assert one.pop("flashes") == ["once"]
    two["b"] = 2
    server.commit(one)
    server.commit(two)
    assert server.request(cookie) == {**HIDDEN, "a": 1, "b": 2}


def test_reading_what_joined_writes_nothing():
    """A session to which something joined is not changed by being read."""
    server, cookie = idle(terms=replace(TERMS, renew_every=None))
    session, withheld = in_time(server, cookie), server.request(cookie)
    session["a"] = 1
    withheld["flashes"] = ["once"]
    server.commit(session)
    server.commit(withheld)
    server.forget()
    session = server.request(cookie)
    assert session["flashes"] == ["once"]
    assert session["cart"] == [1]
    assert not session.modified
    assert server.commit(session) == NOTHING
    assert server.store.asked == ["load"]
    server.clock.advance(60)
    server.forget()
    assert server.visit(cookie) == NOTHING
    assert server.store.asked == ["load", "touch"]


def test_authenticating_again_beside_a_request_in_time():
    """What a request in time saved before is there; what it saves after, its token is dead for."""
    server, cookie = idle("password", terms=replace(TERMS, renew_every=None))
    first, second = in_time(server, cookie), in_time(server, cookie)
    first["a"] = 1
    second["b"] = 2
    session = server.request(cookie)
    session["aside"] = True
    session.reauthenticated(("pin",))
    server.commit(first)
    outcome = server.commit(session)
    assert is_set(outcome)
    assert server.commit(second) == NOTHING
    assert server.request(outcome.token) == {**HIDDEN, "a": 1, "aside": True}
    assert Event("dropped", token_of(cookie).handle, "late") in server.events


def test_authenticating_again_beside_what_is_set_aside():
    """What another request set aside before joins too; what comes later is dropped with its token.

    It is told as any dropped write is, and opens nothing.
    """
    server, cookie = idle("password")
    session, first, second = (server.request(cookie) for _ in range(3))
    first["first"] = 1
    second["second"] = 2
    session.reauthenticated(("pin",))
    server.commit(first)
    outcome = server.commit(session)
    assert is_set(outcome)
    assert server.commit(second) == NOTHING
    assert server.request(outcome.token) == {**HIDDEN, "first": 1}
    assert server.notes(outcome.token).aside == ""
    assert "hunter2" not in repr(second)
    assert "dropped" in server.told()


def test_two_requests_authenticate_again_at_once():
    """Of two that open it at once the first one's token lives; the second is dropped."""
    server, cookie = idle("password")
    first, second = server.request(cookie), server.request(cookie)
    first.reauthenticated(("password",))
    second.reauthenticated(("password",))
    outcome = server.commit(first)
    assert is_set(outcome)
    assert server.commit(second) == NOTHING
    assert server.request(outcome.token) == HIDDEN
    assert server.live() == 1


def test_logging_in_beside_what_is_set_aside():
    """A login is begun on top of what was set aside meanwhile, and not of what is withheld."""
    server, cookie = idle("password")
    session = server.request(cookie)
    session.log_in("bob", ("pin",))
    server.visit(cookie, write(csrf="token"))
    outcome = server.commit(session)
    assert is_set(outcome)
    session = server.request(outcome.token)
    assert session == {"_user_id": "bob", "csrf": "token"}
    assert session.methods == {"pin"}
    assert b"hunter2" not in server.record(outcome.token).data
    assert server.notes(outcome.token).aside == ""


def test_logging_in_beside_authenticating_again():
    """Of a login and an authentication at once each has a session, and neither the other's data."""
    server, cookie = idle("password")
    login, again = server.request(cookie), server.request(cookie)
    login.log_in("bob", ("pin",))
    again.reauthenticated(("password",))
    opened, begun = server.commit(again), server.commit(login)
    assert server.request(opened.token) == HIDDEN
    assert server.request(begun.token) == {"_user_id": "bob"}
    assert token_of(opened.token).key != token_of(begun.token).key


@pytest.mark.parametrize(
    "view", [write(csrf="token"), reauthenticate("password"), regenerate], ids=["w", "r", "g"]
)
def test_what_was_ended_meanwhile_stays_so(view):
    """Promise 1: nothing that a withheld request does brings back what was ended meanwhile."""
    server, cookie = idle("password")
    session = server.request(cookie)
    view(session)
    server.visit(cookie, clear)
    assert server.commit(session) == NOTHING
    assert server.record(cookie).ended
    assert server.live() == 0


def test_a_logout_in_time_beside_a_withheld_request():
    """A user who left in time is gone: what is set aside after is dropped with its token."""
    server, cookie = idle("password")
    leaving, withheld = in_time(server, cookie), server.request(cookie)
    leaving.pop("_user_id")
    withheld["a"] = 1
    outcome = server.commit(leaving)
    assert server.commit(withheld) == NOTHING
    session = server.request(outcome.token)
    assert session.user_id is None
    assert not session.needs_reauthentication
    assert "a" not in session


def test_authenticating_again_after_a_request_in_time_saved():
    """A request that waits with a withheld session opens what has been saved since."""
    server, cookie = idle(terms=replace(TERMS, renew_every=None))
    session = server.request(cookie)
    assert session.needs_reauthentication
    late = in_time(server, cookie)
    late["secret"] = "changed"
    server.commit(late)
    session.reauthenticated(("pin",))
    outcome = server.commit(session)
    assert server.request(outcome.token) == {**HIDDEN, "secret": "changed"}


# Beside everything else


def test_a_policy_that_no_longer_keeps_the_idle():
    """A policy that ends what is idle, from now on, ends what is withheld."""
    server, cookie = idle()
    server.visit(cookie, write(csrf="token"))
    server.engine.terms = replace(TERMS, reauthenticate=False)
    assert server.request(cookie).new
    assert server.visit(cookie, write(a=1)).token
    assert "hunter2" not in repr(dict(server.request(cookie)))


def test_a_policy_with_a_longer_idle_time_opens_it():
    """Where the idle time has been made longer, nothing is withheld, and what was aside joins."""
    server, cookie = idle(terms=replace(TERMS, renew_every=None))
    server.visit(cookie, write(csrf="token", secret="evil"))
    server.engine.terms = replace(TERMS, idle=2 * HOUR)
    session = server.request(cookie)
    assert not session.needs_reauthentication
    assert session == {**HIDDEN, "csrf": "token"}


def test_the_clock_went_back():
    """Before its idle time has passed by the clock of the day, nothing is withheld."""
    server, cookie = idle()
    assert server.request(cookie).needs_reauthentication
    server.clock.advance(-60)
    assert server.request(cookie) == HIDDEN


def test_a_previous_token_within_its_grace():
    """By the token before, while it is good, the session is withheld as by the current one."""
    server = Server(TERMS)
    old = server.visit(None, sign_in("ada", "password", secret="hunter2")).token
    server.clock.advance(700)
    new = server.visit(old).token
    server.clock.advance(HOUR)
    for cookie in (old, new):
        session = server.request(cookie)
        assert session.needs_reauthentication
        assert session == {}
    after = server.visit(old, reauthenticate("password")).token
    assert server.request(after)["secret"] == "hunter2"
    assert server.request(new).new
    assert server.request(old).new


def test_the_use_of_a_new_token_is_noted_with_what_is_set_aside():
    """The first write with a renewed token starts the grace of the one before, withheld or not."""
    server = Server(TERMS)
    old = server.visit(None, sign_in("ada", secret="hunter2")).token
    server.clock.advance(700)
    new = server.visit(old).token
    server.clock.advance(HOUR)
    server.visit(new, write(csrf="token"))
    assert server.record(new).previous_until == server.clock() + 20
    server.clock.advance(21)
    assert server.request(old).new
    assert server.request(new) == {"csrf": "token"}


def test_a_signed_cookie_whose_session_is_withheld():
    """A session that was a signed cookie is withheld for that cookie as for its token."""
    server = Server(TERMS)
    signed = a_signed_cookie(START + 9 * HOUR, _user_id="ada", secret="hunter2")
    session = server.with_signed(signed)
    assert session["secret"] == "hunter2"
    assert is_set(server.commit(session))
    server.clock.advance(HOUR)
    session = server.with_signed(signed)
    assert session.needs_reauthentication
    assert session == {}
    server.forget()
    assert is_set(server.commit(session))
    assert "touch" not in server.store.asked
    session = server.with_signed(signed)
    session["a"] = 1
    outcome = server.commit(session)
    assert is_set(outcome)
    assert server.request(outcome.token) == {"a": 1}
    cookie = server.visit(outcome.token, reauthenticate()).token
    assert server.request(cookie) == {"_user_id": "ada", "secret": "hunter2", "a": 1}


def test_an_idle_signed_cookie_where_it_is_over():
    """Where what is idle is over, the signed cookie of such a session opens nothing either."""
    server = Server(replace(TERMS, reauthenticate=False))
    signed = a_signed_cookie(START + 9 * HOUR, _user_id="ada", secret="hunter2")
    session = server.with_signed(signed)
    assert session["secret"] == "hunter2"
    server.commit(session)
    server.clock.advance(HOUR)
    session = server.with_signed(signed)
    assert session == {}
    assert session.user_id is None
    session["a"] = 1
    outcome = server.commit(session)
    assert server.request(outcome.token) == {"a": 1}


@pytest.mark.parametrize("aside", ["{", "[1]", '{" u":"?"}', "5"])
def test_what_was_set_aside_and_cannot_be_read(aside):
    """Where what was set aside can't be read the session can't, and it is left alone."""
    server, cookie = idle()
    server.visit(cookie, write(csrf="token"))
    record = server.record(cookie)
    envelope = server.engine.envelope
    letter = envelope.open(record.data)
    notes = type(letter.notes)(aside=aside)
    record = structs.replace(record, data=envelope.seal(letter._replace(notes=notes)))
    server.store.records[record.key] = record
    server.forget()
    session = server.request(cookie)
    assert session == {}
    assert not session.needs_reauthentication
    session["a"] = 1
    assert server.commit(session) == NOTHING
    assert server.record(cookie) == record
    assert server.told() == ["refused", "dropped"]


def test_what_was_set_aside_and_is_too_much():
    """What would make the contents too large to be saved is left out, and they open."""
    server, cookie = idle("password")
    server.engine.envelope.max_bytes = 200
    server.visit(cookie, write(junk="x" * 180))
    session = server.request(cookie)
    assert session["junk"]
    session.reauthenticated(["password"])
    assert session.copy() == HIDDEN
    opened = server.commit(session).token
    assert server.contents(opened) == HIDDEN


def test_what_was_set_aside_and_cannot_be_stored():
    """What can't be stored is told of when it is to be, as ever."""
    server, cookie = idle("password")
    session = server.request(cookie)
    session["tags"] = {"hot"}
    session.reauthenticated(["password"])
    with pytest.raises(UnstorableValue, match="tags"):
        server.commit(session)
    del session["tags"]
    assert server.contents(server.commit(session).token) == HIDDEN


def test_the_use_of_a_new_token_is_noted_by_looking():
    """A look at a withheld session notes that its renewed token arrived, and no activity."""
    server, cookie = idle("password")
    server.clock.advance(-60)
    renewed = server.visit(cookie).token
    assert server.record(renewed).previous_until == 0
    server.clock.advance(HOUR + 60)
    seen = server.record(renewed).seen
    assert server.visit(renewed) == NOTHING
    record = server.record(renewed)
    assert (record.previous_until, record.seen) == (server.clock() + TERMS.grace, seen)
    server.clock.advance(TERMS.grace + 1)
    assert server.request(cookie).new
    assert server.request(renewed).needs_reauthentication
