"""The mapping that an application sees of a stored session: its life within one request."""

from __future__ import annotations

import copy
import datetime as dt
import json
import logging
import pickle
import threading
from collections.abc import Callable
from typing import Any

import pytest
from looks import LOOKS_AT_A_MAPPING
from stored_sessions import NOTHING, START, Server, a_signed_cookie, is_set, token_of

from holdfast import log_event
from holdfast.core.cookie_held import SET
from holdfast.core.full_session import FullSession
from holdfast.core.opening import judged
from holdfast.core.session import Session
from holdfast.core.stored import Outcome
from holdfast.core.token import parse
from holdfast.core.visit import Visit

CONTENTS: dict[str, Any] = {"a": 1, "list": [1]}


def opened(**settings: Any) -> tuple[FullSession, Server]:
    """Return the session of a request that brings the token of one with ``CONTENTS``."""
    server = Server(**settings)
    return server.request(server.stored(**CONTENTS)), server


# Looking

LOOKS: dict[str, Callable[[Any], Any]] = LOOKS_AT_A_MAPPING | {
    "json": json.dumps,
    "dict": dict,
    "update another": {}.update,
    "regenerate": lambda session: session.regenerate(),
    "user_id": lambda session: session.user_id,
    "handle": lambda session: session.handle,
    "created": lambda session: session.created,
    "last_seen": lambda session: session.last_seen,
    "new": lambda session: session.new,
    "pop missing": lambda session: session.pop("missing", None),
    "setdefault": lambda session: session.setdefault("a", 5),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_a_look_loads_once(look):
    """Whatever shows the contents, or what is known of them, loads them, once, and is access."""
    session, server = opened()
    look(session)
    look(session)
    assert server.store.asked == ["load"]
    assert session.accessed
    assert not session.modified
    assert dict(session) == CONTENTS


NO_LOOKS: dict[str, Callable[[Any], Any]] = {
    "accessed": lambda session: session.accessed,
    "accessed = True": lambda session: setattr(session, "accessed", True),
    "modified": lambda session: session.modified,
    "permanent = True": lambda session: setattr(session, "permanent", True),
    "permanent = True, read": lambda session: (
        setattr(session, "permanent", True),
        session.permanent,
    ),
    "transient in": lambda session: "_remember" in session,
    "transient get": lambda session: session.get("_remember_seconds", 5),
    "transient []=": lambda session: session.__setitem__("_remember", "set"),
    "transient pop": lambda session: session.pop("_remember", None),
    "transient pop, there": lambda session: (
        session.__setitem__("_remember", "set"),
        session.pop("_remember"),
    ),
    "transient setdefault": lambda session: session.setdefault("_remember", "set"),
    "transient update": lambda session: session.update(_remember="set"),
    "transient apply": lambda session: session.apply("_remember", str),
    "update with nothing": lambda session: session.update(),
    "is_in_use": lambda session: session.is_in_use,
    "modified = False": lambda session: setattr(session, "modified", False),
}


@pytest.mark.parametrize("use", NO_LOOKS.values(), ids=NO_LOOKS)
def test_what_is_no_look_asks_nothing_of_the_store(use):
    """Keys of one request, ``permanent = True`` and the flags load nothing, and store nothing."""
    session, server = opened()
    use(session)
    assert server.commit(session) == NOTHING
    assert server.store.asked == []
    assert not server.events


def test_setting_accessed_is_no_look():
    """Flask sets ``accessed`` before it hands a session out: the response varies, nothing loads."""
    session, server = opened()
    session.accessed = True
    assert session.accessed
    session.accessed = False
    assert not session.accessed
    assert server.store.asked == []
    assert session["a"] == 1


def test_reading_permanence_is_a_look():
    """Reading ``permanent`` loads where nothing was said of it, once, and is access."""
    server = Server()
    for permanent in (True, False):
        session = server.request(server.stored(permanent, a=1))
        assert session.permanent is permanent
        assert session.permanent is permanent
        assert server.store.asked == ["load"]
        assert session.accessed
        assert session == {"a": 1}


def test_only_the_first_of_several_threads_loads_it():
    """Threads that look first together see one session, that of the first to finish."""
    server = Server()
    cookie = server.stored(a=1)
    together = threading.Barrier(4)
    session = server.request(cookie)
    inner = session._visit.perform

    def perform(steps: Any) -> Any:
        opened = inner(steps)
        together.wait(10)
        return opened

    session._visit.perform = perform
    seen: list[Any] = []
    threads = [threading.Thread(target=lambda: seen.append(session["a"])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert seen == [1] * 4
    session["a"] = 2
    session.fill(judged(server.engine, token_of(cookie), server.record(cookie), START))
    assert session["a"] == 2


def test_a_cookie_is_taken_apart_once():
    """The text of a cookie is read when the session is first used, once."""
    server = Server()
    read: list[str] = []

    def reader(text: str) -> Any:
        read.append(text)
        return parse(text)

    session = server.request(server.stored(a=1), reader)
    assert read == []
    assert session["a"] == 1
    server.commit(session)
    assert len(read) == 1


@pytest.mark.parametrize("text", ["", "null", "A" * 65, "A" * 63 + "\0", None])
def test_what_is_no_token_asks_nothing(text):
    """Trap 10: what has not the shape of a token is checked before any I/O."""
    server = Server()
    session = server.request(text)
    assert not session
    assert session.new
    assert server.commit(session) == NOTHING
    assert server.store.asked == []
    assert server.events == []


# Writing

WRITES: dict[str, Callable[[Any], Any]] = {
    "[]=": lambda session: session.__setitem__("b", 2),
    "an equal value": lambda session: session.__setitem__("a", 1),
    "del": lambda session: session.__delitem__("a"),
    "pop": lambda session: session.pop("a"),
    "pop with a default": lambda session: session.pop("a", None),
    "popitem": lambda session: session.popitem(),
    "clear": lambda session: session.clear(),
    "update": lambda session: session.update({"b": 2, "a": 3}),
    "update by keyword": lambda session: session.update(b=2),
    "update by items": lambda session: session.update([("b", 2)], c=3),
    "|=": lambda session: session.__ior__([("b", 2)]),
    "setdefault": lambda session: session.setdefault("b", 2),
    "in place": lambda session: session["list"].append(2),
    "in place by get": lambda session: session.get("list").append(2),
    "in place by values": lambda session: list(session.values())[-1].append(2),
    "in place by items": lambda session: dict(session.items())["list"].append(2),
    "in place by copy": lambda session: session.copy()["list"].append(2),
    "in place by setdefault": lambda session: session.setdefault("list", []).append(2),
    "in place, a new one": lambda session: session.setdefault("new", []).append(2),
    "popped and put back": lambda session: session.__setitem__("list", [*session.pop("list"), 2]),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_write_is_what_it_is_on_a_dict(write):
    """Whatever changes a dict changes a session alike, returns the same, and is a change."""
    session, _ = opened()
    plain: dict[str, Any] = copy.deepcopy(CONTENTS)
    returned = write(session)
    expected = write(plain)
    assert dict(session) == plain
    assert returned == expected
    assert session.accessed
    assert session.modified


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_what_was_written_is_stored(write):
    """Trap 32: whatever changes the session is there in the next request, and for all after it."""
    session, server = opened()
    token = session._visit._text
    write(session)
    expected = dict(session)
    outcome = server.commit(session)
    if expected:
        assert dict(server.request(token)) == expected
        assert dict(session) == expected
        assert not session.modified
    else:
        assert server.live() == 0
        assert outcome.token == ""


@pytest.mark.parametrize(
    "wrong",
    [
        lambda session: session["missing"],
        lambda session: session["_remember"],
        lambda session: session.__delitem__("missing"),
        lambda session: session.__delitem__("_remember"),
        lambda session: session.pop("missing"),
        lambda session: session.pop("_remember"),
        lambda session: [session.popitem() for _ in range(3)],
    ],
)
def test_what_is_missing_is_a_key_error(wrong):
    """What is not there raises ``KeyError``, as on a dict."""
    session, _ = opened()
    with pytest.raises(KeyError):
        wrong(session)


def test_updating_takes_all_or_nothing():
    """An update that fails half-way changes nothing."""
    session, _ = opened()
    with pytest.raises(ValueError, match="sequence"):
        session.update([("b", 2), "wrong"])
    assert session == CONTENTS
    assert not session.modified


def test_a_session_updates_a_session():
    """A session that was not looked at can be merged into another."""
    server = Server()
    session, other = server.request(server.stored(a=1)), server.request(server.stored(b=2))
    session |= other
    assert session == {"a": 1, "b": 2}


def test_clearing_loads_nothing():
    """``clear()`` asks nothing of the store, and nothing that was stored shows up afterwards."""
    session, server = opened()
    session.clear()
    assert session.accessed
    assert session.modified
    assert "a" not in session
    session["b"] = 2
    assert dict(session) == {"b": 2}
    assert server.store.asked == []


def test_asking_about_a_cleared_session_brings_nothing_back():
    """What loads after ``clear()``, such as the handle, does not bring the contents back."""
    session, server = opened()
    session.clear()
    session["_remember"] = "clear"
    assert session.handle == session._visit.presented.handle
    assert server.store.asked == ["load"]
    assert dict(session) == {"_remember": "clear"}
    session.regenerate()
    assert "a" not in session
    server.commit(session)
    assert server.store.asked == ["load", "retire"]


# Keys of one request


def test_transient_keys_live_for_one_request():
    """What is kept under a transient key is there until the request is over, and not stored."""
    server = Server()
    cookie = server.stored(a=1)
    session = server.request(cookie)
    session["_remember"] = "set"
    assert session["a"] == 1
    assert session["_remember"] == "set"
    assert session.pop("_remember") == "set"
    session["_remember"] = "set"
    session["b"] = 2
    server.commit(session)
    assert session["_remember"] == "set"
    assert server.contents(cookie) == {"a": 1, "b": 2}
    assert "_remember" not in server.request(cookie)


def test_transient_keys_alone_make_no_session():
    """Trap 9: a visit that sets only transient keys stores nothing, even if it looks."""
    server = Server()
    session = server.request()
    assert not session
    session["_remember"] = "set"
    assert len(session) == 1
    assert server.commit(session) == NOTHING
    assert server.store.asked == []


def test_popping_the_last_item_may_be_a_transient_one():
    """``popitem`` takes the last item, of whatever kind."""
    session, server = opened()
    assert len(session) == 2
    session["_remember"] = "set"
    assert session.popitem() == ("_remember", "set")
    assert not session.modified
    assert session.popitem() == ("list", [1])
    server.commit(session)
    assert server.store.asked == ["load", "save"]


def test_transient_keys_survive_a_merge():
    """What a merge brings in leaves transient keys as they are."""
    server = Server()
    cookie = server.stored(a=1)
    session = server.request(cookie)
    session["b"] = 2
    session["_remember"] = "set"
    server.visit(cookie, lambda other: other.update(c=3))
    server.commit(session)
    assert session == {"a": 1, "b": 2, "c": 3, "_remember": "set"}


# Permanence


def test_permanence_is_pending_until_something_is_stored():
    """``permanent = True`` before every request takes effect when the session is first written."""
    server = Server()
    session = server.request()
    session.permanent = True
    assert server.commit(session) == NOTHING
    session["a"] = 1
    assert session.permanent
    assert is_set(server.commit(session))
    assert session.permanent
    assert "_permanent" not in session


def test_permanence_takes_effect_when_the_session_is_loaded():
    """A change of permanence is stored, with a new cookie, by the request that looks."""
    server = Server()
    cookie = server.stored(a=1)
    session = server.request(cookie)
    session.permanent = True
    assert session["a"] == 1
    outcome = server.commit(session)
    assert is_set(outcome)
    assert server.request(outcome.token).permanent
    session = server.request(outcome.token)
    session.permanent = True
    assert session["a"] == 1
    assert server.commit(session) == NOTHING


def test_permanence_can_be_taken_back():
    """``permanent = False`` is a change too, and its cookie is set without an age."""
    server = Server()
    outcome = server.visit(
        server.stored(permanent=True, a=1), lambda it: (len(it), setattr(it, "permanent", False))
    )
    assert is_set(outcome)
    assert not server.request(outcome.token).permanent


# What is known of it


def test_what_is_known_of_a_session():
    """A session tells its handle, when it began and was last seen, in UTC, and whose it is."""
    server = Server()
    cookie = server.stored(user_id=7)
    server.clock.advance(100)
    server.visit(cookie)
    session = server.request(cookie)
    start = dt.datetime.fromtimestamp(START, dt.UTC)
    assert session.handle == token_of(cookie).handle
    assert session.created == start
    assert session.last_seen == start + dt.timedelta(seconds=100)
    assert session.created.tzinfo is dt.UTC
    assert session.user_id == "7"
    assert not session.new


def test_nothing_is_known_of_what_is_not_stored():
    """What is not stored is new, and has neither handle nor times; it may have a user."""
    session = Server().request()
    assert (session.handle, session.created, session.last_seen) == (None, None, None)
    assert session.new
    session["user_id"] = "ada"
    assert session.user_id == "ada"
    assert session.new


def test_once_stored_it_is_new_no_more():
    """After its first commit a session has its handle, and is new no more."""
    server = Server()
    session = server.request()
    session["a"] = 1
    outcome = server.commit(session)
    assert not session.new
    assert session.handle == token_of(outcome.token).handle


def test_a_session_of_no_request_is_a_mapping():
    """A session that was made by hand is a mapping that is never stored."""
    server = Server()
    session = FullSession({"a": 1, "_remember": 2})
    session["b"] = 2
    session.permanent = True
    assert session.apply("n", lambda n: n + 1, 0) == 1
    assert session == {"a": 1, "b": 2, "_remember": 2, "n": 1}
    assert (session.permanent, session.new, session.handle, session.user_id) == (
        True, True, None, None
    )  # fmt: skip
    assert FullSession().permanent is False
    assert FullSession().engine is None
    assert server.request().engine is server.engine
    assert server.commit(session) == NOTHING
    session.clear()
    assert server.commit(session) == NOTHING


# apply


def test_apply_returns_what_it_made():
    """``apply`` replaces a value by the function of it, or of the default where there is none."""
    session, _ = opened()
    assert session.apply("a", lambda a: a + 1) == 2
    assert session.apply("missing", lambda a: a) is None
    assert session.apply("visits", lambda n: n + 1, 0) == 1
    assert session.apply("visits", lambda n: n + 1, 0) == 2
    assert session == {"a": 2, "list": [1], "missing": None, "visits": 2}
    assert session.modified


def test_apply_on_a_transient_key_stays_in_the_request():
    """What is applied to a transient key is not stored, and nothing is loaded for it."""
    session, server = opened()
    assert session.apply("_remember", lambda n: n + 1, 0) == 1
    assert server.commit(session) == NOTHING
    assert server.store.asked == []


def test_a_function_that_raises_changes_nothing():
    """Where the function raises, the session is as it was."""
    session, _ = opened()
    with pytest.raises(ZeroDivisionError):
        session.apply("a", lambda a: a / 0)
    assert session == CONTENTS
    assert not session.modified


# Flags


def test_unchanged_again_is_unchanged():
    """What was changed inside and changed back is not stored."""
    session, server = opened()
    session["list"].append(2)
    assert session.modified
    session, server = opened()
    session["list"].append(2)
    session["list"].pop()
    assert not session.modified
    assert server.commit(session) == NOTHING
    assert server.store.asked == ["load"]


def test_modified_can_be_set():
    """``modified = True`` where nothing changed stores nothing new; False disowns what was."""
    session, server = opened()
    session["b"] = 2
    session.modified = False
    assert not session.modified
    server.commit(session)
    assert "save" not in server.store.asked
    session["list"].append(2)
    assert session.modified
    server.commit(session)
    assert server.contents(session._opened.token.text) == {**CONTENTS, "b": 2, "list": [1, 2]}


def test_saving_in_any_case_stores_what_is_there():
    """``modified = True`` has the contents compared as they would be stored; alike is no save."""
    session, server = opened()
    assert session["a"] == 1
    session.modified = True
    assert server.commit(session) == NOTHING
    assert server.store.asked == ["load"]


# The token never shows


def test_a_copy_belongs_to_no_request():
    """Copies and pickles have the contents, and neither the token nor any tie to the store."""
    session, server = opened()
    token = session._visit._text
    session["list"].append(2)
    session.apply("n", lambda n: n + 1, 0)
    session.permanent = True
    copies = [
        copy.copy(session),
        copy.deepcopy(session),
        *(
            pickle.loads(pickle.dumps(session, protocol))
            for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)
        ),
    ]
    for each in copies:
        assert type(each) is FullSession
        assert dict(each) == dict(session)
        assert each.modified
        assert each.new
        each["c"] = 3
        assert server.commit(each) == NOTHING
        assert not {"_visit", "_opened", "_source", "_loaded", "_applied"} & vars(each).keys()
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert token.encode() not in pickle.dumps(session, protocol)
        assert token_of(token).id not in pickle.dumps(session, protocol)
    assert "c" not in session


@pytest.mark.parametrize("look", [lambda _: None, len, lambda it: it.update(b=2)])
@pytest.mark.parametrize("commit", [False, True])
def test_the_token_is_shown_nowhere(look, commit):
    """No ``repr``, text, format or attribute of a session or what belongs to it has the token."""
    session, server = opened()
    token = session._visit._text
    look(session)
    shown = [repr(session._visit), str(session._visit), f"{session._opened}", repr(vars(session))]
    if commit:
        shown.append(repr(server.commit(session)))
    shown += [repr(vars(session)), repr(session._opened), repr(server.events)]
    shown.append(repr(Outcome(SET, token)))
    shown += [repr(session), str(session), f"{session}", f"{session!r:>90}"]
    shown += [repr(server.store.records), repr(session._opened.record), repr(session._opened.token)]
    parsed = token_of(token)
    for hidden in (token, token[22:], repr(parsed.id), parsed.id.hex(), repr(parsed.digest)):
        assert hidden not in "".join(shown)


def test_the_token_is_not_logged(caplog):
    """Whatever happens to a session, its token and its contents are in no log."""
    caplog.set_level(logging.DEBUG)
    server = Server(listeners=(log_event,))
    first = server.stored(card="4111")
    second = server.visit(first, lambda it: it.regenerate()).token
    slow = server.request(second)
    slow["card"] = "4222"
    server.visit(second, lambda it: it.update(card="4333"))
    server.commit(slow)
    server.visit(first)
    server.visit(second, lambda it: it.clear())
    server.visit(first, lambda it: it.update(card="4444"))
    cookie = a_signed_cookie(card="4555")
    server.commit(server.with_signed(cookie))
    logged = {record.getMessage().split(": ")[1].split(" ")[0] for record in caplog.records}
    assert logged >= {
        "created", "loaded", "merged", "conflict", "regenerated", "ended", "dropped", "refused"
    }  # fmt: skip
    assert first not in caplog.text
    assert second not in caplog.text
    assert first[:22] not in caplog.text
    assert "4" * 3 not in caplog.text
    assert "card" not in caplog.text


def test_errors_do_not_show_the_token():
    """What is raised of a session names it by its handle."""
    server = Server()
    cookie = server.stored(a=1)
    session = server.request(cookie)
    session["a"] = {1}
    with pytest.raises(TypeError) as caught:
        server.commit(session)
    assert cookie not in str(caught.value)
    assert cookie not in repr(caught.value)


def test_a_session_is_a_dict_and_a_session():
    """Frameworks take it for a dict, and this library for one of its sessions."""
    session, _ = opened()
    assert isinstance(session, dict)
    assert isinstance(session, Session)
    assert json.loads(json.dumps(session)) == CONTENTS


def test_a_visit_has_room_for_nothing_else():
    """What a request brought has fixed attributes: one is made for each request."""
    visit = Visit(Server().engine, None, START, lambda _: None)
    assert visit.presented is None
    with pytest.raises(AttributeError):
        visit.other = 1
