"""What one request wants of its session, merged with what others stored meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace
from stored_sessions import NOTHING, Server, is_set, write


def test_ten_parallel_increments_make_ten():
    """``apply`` is run again on the fresh value: ten requests that add one add ten."""
    server = Server()
    cookie = server.stored(a=1)
    sessions = [server.request(cookie) for _ in range(10)]
    for session in sessions:
        session.apply("n", lambda n: n + 1, 0)
        session.apply("log", lambda log: [*log, "x"], [])
    for session in sessions:
        server.commit(session)
    assert server.contents(cookie) == {"a": 1, "n": 10, "log": ["x"] * 10}
    assert sessions[-1]["n"] == 10
    assert "conflict" not in server.told()


def test_applying_twice_counts_twice():
    """What a request applied several times is applied as often to the fresh value."""
    server = Server()
    cookie = server.stored(n=0)
    session = server.request(cookie)
    for _ in range(3):
        session.apply("n", lambda n: n + 1, 0)
    server.visit(cookie, write(n=10))
    server.commit(session)
    assert server.contents(cookie) == {"n": 13}


OVERTAKEN: dict[str, tuple[dict[str, Any], Callable[[Any], Any], dict[str, Any]]] = {
    "assigned, then applied": (
        {"n": 5}, lambda it: (write(n=1)(it), it.apply("n", lambda n: n + 1)), {"n": 2}
    ),
    "applied, then assigned": (
        {"n": 5}, lambda it: (it.apply("n", lambda n: n + 1), write(n=1)(it)), {"n": 1}
    ),
    "applied, then deleted": (
        {"n": 5}, lambda it: (it.apply("n", lambda n: n + 1), it.pop("n")), {}
    ),
    "deleted, then applied": (
        {"n": 5}, lambda it: (it.pop("n"), it.apply("n", lambda n: n + 1, 0)), {"n": 1}
    ),
    "changed inside, then applied": (
        {"n": {"a": 1}},
        lambda it: (it["n"].update(b=2), it.apply("n", lambda n: {**n, "c": 3})),
        {"n": {"a": 1, "b": 2, "c": 3}},
    ),
    "applied, then changed inside": (
        {"n": {"a": 1}},
        lambda it: (it.apply("n", lambda n: {**n, "c": 3}), it["n"].update(b=2)),
        {"n": {"a": 1, "b": 2, "c": 3}},
    ),
    "applied": ({"n": 5}, lambda it: it.apply("n", lambda n: n + 1), {"n": 6}),
    "assigned, then deleted": ({"n": 5}, lambda it: (write(n=1)(it), it.pop("n")), {}),
}  # fmt: skip


@pytest.mark.parametrize(("contents", "view", "expected"), OVERTAKEN.values(), ids=OVERTAKEN)
@pytest.mark.parametrize("overtaken", [False, True])
def test_what_is_stored_is_what_the_request_saw(contents, view, expected, overtaken):
    """Whether others saved another key meanwhile or not, a key is stored as the request left it."""
    server = Server()
    cookie = server.stored(**contents)
    session = server.request(cookie)
    view(session)
    assert dict(session) == expected
    if overtaken:
        server.visit(cookie, write(other=1))
        expected = {**expected, "other": 1}
    server.commit(session)
    assert server.contents(cookie) == expected


OWN: dict[str, tuple[Callable[[Any], Any], dict[str, Any]]] = {
    "assigned": (write(n=1), {"n": 1}),
    "applied": (lambda it: it.apply("n", lambda n: n + 1, 10), {"n": 11}),
    "applied twice": (
        lambda it: [it.apply("n", lambda n: n + 1, 10) for _ in range(2)], {"n": 12}
    ),
    "assigned, then applied": (
        lambda it: (write(n=1)(it), it.apply("n", lambda n: n + 1)), {"n": 2}
    ),
    "applied, then assigned": (
        lambda it: (it.apply("n", lambda n: n + 1), write(n=1)(it)), {"n": 1}
    ),
    "applied, then deleted": (lambda it: (it.apply("n", lambda n: n + 1), it.pop("n")), {}),
    "assigned, then deleted": (lambda it: (write(n=1)(it), it.pop("n")), {}),
    "changed inside": (lambda it: it["list"].append(2), {}),
    "assigned, then changed inside": (
        lambda it: (write(new=[1])(it), it["new"].append(2)), {"new": [1, 2]}
    ),
}  # fmt: skip


@pytest.mark.parametrize(("view", "own"), OWN.values(), ids=OWN)
def test_what_a_request_itself_wrote(view, own):
    """Where another user came, only what the request wrote is kept; nothing is read through it."""
    server = Server()
    cookie = server.stored(_user_id="ada", n=5, list=[1])
    session = server.request(cookie)
    view(session)
    session["_user_id"] = "bob"
    outcome = server.commit(session)
    assert server.contents(outcome.token) == {"_user_id": "bob", **own}
    assert dict(session) == {"_user_id": "bob", **own}


def test_assigning_what_was_applied_is_no_other_change():
    """``session["n"] = session.apply("n", ...)`` is still run again; what is assigned is there."""
    server = Server()
    cookie = server.stored(n=0, log=[1])
    session = server.request(cookie)
    session["n"] = session.apply("n", lambda n: n + 1)
    log = [*session.apply("log", lambda log: [*log, 2])]
    session["log"] = log
    log.append(3)
    assert session["log"] == [1, 2, 3]
    server.visit(cookie, write(n=10))
    server.commit(session)
    assert server.contents(cookie) == {"n": 11, "log": [1, 2, 3]}


def test_what_was_deleted_first_is_applied_to_the_fresh_value():
    """What a request wrote and took back does not count: what it then applied is applied anew."""
    server = Server()
    cookie = server.stored(a=1)
    session = server.request(cookie)
    session["n"] = 7
    del session["n"]
    assert session.apply("n", lambda n: n + 1, 0) == 1
    server.visit(cookie, write(n=5))
    server.commit(session)
    assert server.contents(cookie) == {"a": 1, "n": 6}


def test_permanence_that_was_stored_is_not_stored_again():
    """Trap 38: a second commit does not bring back a permanence that another took back since."""
    server = Server()
    session = server.request()
    session["a"] = 1
    session.permanent = True
    cookie = server.commit(session).token
    other = server.request(cookie)
    assert other.permanent
    other.permanent = False
    server.commit(other)
    session["b"] = 2
    server.commit(session)
    assert server.contents(cookie) == {"a": 1, "b": 2}
    assert not session.permanent


def test_flash_messages_of_two_requests():
    """Trap 33: flash messages added by two requests at once both appear."""
    server = Server()
    cookie = server.stored(a=1)
    one, two = server.request(cookie), server.request(cookie)
    one.setdefault("_flashes", []).append(("message", "one"))
    two.setdefault("_flashes", []).append(("message", "two"))
    server.commit(one)
    server.commit(two)
    assert server.contents(cookie)["_flashes"] == [("message", "one"), ("message", "two")]


def test_a_flash_message_consumed_and_one_added():
    """Trap 41: a consumed flash message and one added meanwhile leave exactly the one added."""
    for order in (1, -1):
        server = Server()
        cookie = server.stored(_flashes=["old"])
        consuming, adding = server.request(cookie), server.request(cookie)
        assert consuming.pop("_flashes") == ["old"]
        adding["_flashes"] = [*adding["_flashes"], "new"]
        for session in (consuming, adding)[::order]:
            server.commit(session)
        assert server.contents(cookie)["_flashes"] == ["new"]


def test_a_request_that_changed_nothing_brings_nothing_back():
    """A save that is refused and carries no contents, such as of permanence, leaves others' be."""
    server = Server()
    cookie = server.stored(a=1)
    session = server.request(cookie)
    session["w"] = 1
    session.modified = False
    session.permanent = True
    server.visit(cookie, lambda it: it.update(b=2) or it.pop("a"))
    outcome = server.commit(session)
    assert is_set(outcome)
    assert server.contents(cookie) == {"b": 2}
    assert server.request(cookie).permanent


def test_another_request_wrote_the_same():
    """Where another request wrote the same meanwhile there is nothing left to save."""
    server = Server()
    cookie = server.stored(a=1)
    session = server.request(cookie)
    session["a"] = 2
    server.visit(cookie, write(a=2))
    server.forget()
    assert server.commit(session) == NOTHING
    assert server.store.asked == ["save", "load"]
    assert server.told() == []


def test_a_user_that_came_is_whose_the_session_is():
    """After a merge a session is the user's who logged in, whatever others did to those keys."""
    server = Server()
    cookie = server.stored(a=1)
    session = server.request(cookie)
    session["user_id"] = "bob"
    record = server.record(cookie)
    meddled = server.engine.envelope.seal(
        server.engine.envelope.open(record.data)._replace(text=b'{"_user_id":"eve","a":1}')
    )
    server.store.records[record.key] = replace(record, data=meddled, version=2)
    outcome = server.commit(session)
    assert server.contents(outcome.token) == {"a": 1, "user_id": "bob"}
    assert server.record(outcome.token).user_id == "bob"


def test_a_user_who_is_applied_is_applied_once():
    """The user that a request saw after `apply` is the one that is stored."""
    server = Server()
    cookie = server.stored(user_id=5, a=1)
    session = server.request(cookie)
    assert session.apply("user_id", lambda user: user + 1, 0) == 6
    outcome = server.commit(session)
    assert server.contents(outcome.token) == {"user_id": 6}
    assert server.record(outcome.token).user_id == "6"


def test_other_user_keys_than_when_it_was_stored():
    """A session whose user is read from other keys than before gets a new token when written."""
    server = Server()
    cookie = server.stored(owner="ada")
    server.engine.users.keys = ("owner",)
    outcome = server.visit(cookie, write(b=2))
    assert is_set(outcome)
    assert server.record(outcome.token).user_id == "ada"
    assert server.contents(outcome.token) == {"owner": "ada", "b": 2}
