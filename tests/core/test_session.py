"""The mapping that an application sees: when it loads, and what it takes for a change."""

from __future__ import annotations

import copy
import json
import operator
import pickle
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import pytest
from hypothesis import given, strategies as st
from looks import LOOKS_AT_A_MAPPING
from markupsafe import Markup
from signed_cookies import FLAT, NESTED, make_codec, opened
from values import CONTENTS, SCALARS, exact, examples

from holdfast import SessionUnavailable
from holdfast.core import loading
from holdfast.core.session import FIXED, NullSession, Session


class Recorder:
    """A source that says how often it was asked, and compares contents with ``==``."""

    def __init__(self, contents: dict[str, Any]) -> None:
        self.contents = contents
        self.loads: list[str] = []
        self.comparisons = 0

    def load(self, token: str) -> tuple[Mapping[str, Any], Any]:
        self.loads.append(token)
        return copy.deepcopy(self.contents), "what was loaded"

    def holds(self, loaded: Any, contents: dict[str, Any]) -> bool:
        assert loaded == "what was loaded"
        assert type(contents) is dict
        self.comparisons += 1
        return contents == self.contents

    def snapshot(self, contents: dict[str, Any]) -> Any:
        self.contents = copy.deepcopy(contents)
        return "what was loaded"


def recorded(contents: dict[str, Any] | None = None) -> tuple[Session, Recorder]:
    source = Recorder(contents if contents is not None else {"a": 1, "list": [1]})
    return Session.unopened(source, "token"), source


def rewritten(session: Session) -> bool:
    """Return whether a session counts as different from its cookie, whatever was disowned."""
    return session.modified or session._written


# Looking

LOOKS: dict[str, Callable[[Session], Any]] = LOOKS_AT_A_MAPPING | {
    "sizeof": lambda session: session.__sizeof__(),
    "permanent": lambda session: session.permanent,
}
WRITES: dict[str, Callable[[Any], Any]] = {
    "[]=": lambda session: session.__setitem__("b", 2),
    "an equal value": lambda session: session.__setitem__("a", 1),
    "del": lambda session: session.__delitem__("a"),
    "pop": lambda session: session.pop("a"),
    "pop with a default": lambda session: session.pop("a", None),
    "popitem": lambda session: session.popitem(),
    "clear": lambda session: session.clear(),
    "update": lambda session: session.update({"b": 2}),
    "update by keyword": lambda session: session.update(b=2),
    "update with nothing": lambda session: session.update(),
    "|=": lambda session: session.__ior__([("b", 2)]),
    "setdefault": lambda session: session.setdefault("b", 2),
    "permanent": lambda session: setattr(session, "permanent", False),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_a_look_loads_once_and_changes_nothing(look):
    """Whatever shows the contents loads them, once, counts as access and not as a change."""
    session, source = recorded()
    look(session)
    look(session)
    assert source.loads == ["token"]
    assert session.accessed
    assert not session.modified
    assert not rewritten(session)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_write_loads_and_is_a_change(write):
    """Whatever changes the contents loads them first, counts as access and as a change."""
    session, source = recorded()
    write(session)
    expected = {"a": 1, "list": [1]}
    plain = Session(expected)
    write(plain)
    assert source.loads == ["token"]
    assert (session.accessed, session.modified, rewritten(session)) == (True, True, True)
    assert source.comparisons == 0  # nothing has to be compared to know it
    assert session == plain


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_write_after_a_look_loads_nothing_anew(write):
    """What was loaded for a look is what a write changes."""
    session, source = recorded()
    assert session["a"] == 1
    write(session)
    assert source.loads == ["token"]
    assert session.modified


def test_flags_are_no_look():
    """Asking whether a session was looked at or changed loads nothing."""
    session, source = recorded()
    assert not session.accessed
    assert not session.modified
    assert not rewritten(session)
    session.modified = True
    session.accessed = False
    assert session.modified
    assert not session.accessed
    assert source.loads == []


def test_setting_accessed_loads():
    """Setting ``accessed`` loads the contents, so that code in C that reads the dict sees them."""
    session, source = recorded()
    session.accessed = True
    assert dict.__len__(session) == 2
    session.accessed = True
    assert source.loads == ["token"]


def test_access_can_be_taken_back():
    """``accessed`` set to False stays so until the next look, which does not load again."""
    session, source = recorded()
    assert session["a"] == 1
    session.accessed = False
    assert not session.accessed
    session.pop("a")
    assert session.accessed
    assert source.loads == ["token"]
    assert "a" not in session


def test_asking_for_flags_later_is_no_look_either():
    """Asking whether a value that was handed out has changed does not count as access."""
    session, _ = recorded()
    session["list"].append(2)
    session.accessed = False
    assert session.modified
    assert not session.accessed


def test_disowning_changes_is_no_look():
    """Setting ``modified`` to False does not count as access."""
    session, _ = recorded()
    session["list"].append(2)
    session.accessed = False
    session.modified = False
    assert not session.accessed


def test_what_is_yet_to_be_loaded_shows_nothing_of_its_own():
    """Code in C that reads the dict by its methods sees what the cookie holds, full or empty."""
    for contents in (NESTED | {"pair": [1]}, {"a": 1}, {}):
        assert json.loads(json.dumps(opened(contents))) == contents
        assert list(opened(contents)) == list(contents)
        assert dict(opened(contents)) == {**opened(contents)} == contents
        assert list(map(str, opened(contents))) == sorted(contents)


@pytest.mark.parametrize("compare", [operator.eq, operator.ne], ids=["==", "!="])
def test_two_sessions_are_loaded_to_be_compared(compare):
    """Comparing two sessions loads both: neither is judged by what it has not yet loaded."""
    (one, other), (_, third) = (recorded()[0], recorded()[0]), (None, recorded({"a": 2})[0])
    assert compare(one, other) is (compare is operator.eq)
    assert other.accessed
    assert compare(one, third) is (compare is operator.ne)


def test_threads_of_one_request_share_what_the_first_loaded():
    """Threads that look first together each see all of it; the first to load gives the values."""
    started = threading.Barrier(5)

    class Slowly(Recorder):
        def load(self, token: str) -> tuple[Mapping[str, Any], Any]:
            time.sleep(0.01)
            return super().load(token)

    source = Slowly({"a": 1, "list": [1]})
    session = Session.unopened(source, "token")
    seen = []

    def look() -> None:
        started.wait()
        seen.append(session.get("a"))
        values.append(session.get("list"))

    values: list[Any] = []
    threads = [threading.Thread(target=look) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [1] * 5
    assert all(value is values[0] for value in values)
    assert set(source.loads) == {"token"}


def test_what_loads_may_look_at_the_session():
    """A source that looks at the session while it loads it sees it empty, and does not hang."""
    session, source = recorded()
    load = source.load
    source.load = lambda token: (session.accessed, load(token))[1]
    assert session["a"] == 1


def test_what_was_loaded_is_kept_for_the_engine():
    """The token is gone once it was loaded, and what the source said of it is kept."""
    session, _ = recorded()
    assert session._token == "token"
    len(session)
    assert session._token is None
    assert session._loaded == "what was loaded"


def test_a_new_session_is_a_plain_mapping():
    """A session takes what a dict takes, and begins unchanged."""
    assert Session() == {}
    assert Session({"a": 1}) == {"a": 1}
    assert Session([("a", 1)]) == {"a": 1}
    assert not Session({"a": 1}).modified
    assert not Session.new
    assert Session.fromkeys(["a"]) == {"a": None}
    with pytest.raises(TypeError):
        hash(Session())
    with pytest.raises(TypeError):
        Session({}, {})
    with pytest.raises(TypeError):
        Session(a=1)


def test_a_session_shows_itself():
    """``repr`` names the class and shows the contents."""
    session, _ = recorded({"a": 1})
    assert repr(session) == "<Session {'a': 1}>"


# What is no change

NO_CHANGES: dict[str, Callable[[Session], Any]] = {
    "pop missing": lambda session: session.pop("missing", None),
    "pop missing, by keyword": lambda session: session.pop("missing", default=None),
    "setdefault existing": lambda session: session.setdefault("a", 2),
    "read a list": lambda session: session["list"],
    "read all": lambda session: list(session.values()),
    "read pairs": lambda session: dict(session.items()),
    "to a dict": dict,
    "unpack": lambda session: {**session},
    "to JSON": json.dumps,
}


@pytest.mark.parametrize("do", NO_CHANGES.values(), ids=NO_CHANGES)
def test_reading_alone_is_no_change(do):
    """Reading, even of nested values, is no change; neither is what leaves all as it was."""
    for contents in ({"a": 1, "list": [1]}, {"a": 1, "list": []}):
        session, _ = recorded(contents)
        do(session)
        assert not session.modified
        assert not rewritten(session)


def test_what_a_dict_refuses_is_no_change():
    """An operation that raises leaves the session unchanged."""
    session, _ = recorded({})
    for refused in (
        lambda: session.pop("missing"),
        session.popitem,
        lambda: session["missing"],
        lambda: session.__delitem__("missing"),
    ):
        with pytest.raises(KeyError):
            refused()
    assert not session.modified


@pytest.mark.parametrize("value", [1, 1.5, "a", b"a", True, None])
def test_values_that_cannot_change_inside_are_not_watched(value):
    """Reading a value that can't change inside costs no comparison at the end."""
    session, source = recorded({"a": value})
    assert session["a"] == session.get("a") == session.setdefault("a")
    assert not session.modified
    assert source.comparisons == 0


def test_the_types_that_cannot_change_inside_are_few():
    """No type that can change inside, or be subclassed into one, counts as fixed."""
    assert not {list, dict, tuple, set, bytearray, Markup, Session} & FIXED
    session, source = recorded({"a": Markup("x")})
    session["a"]  # a look
    assert not session.modified
    assert source.comparisons == 1


def test_a_session_of_no_request_is_watched_by_writes_alone():
    """A session that an application makes itself was changed only if it was written to."""
    session = Session()
    session.get("list", []).append(1)
    assert not session.modified


# Changes inside

CHANGES: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "append": ([1], lambda value: value.append(2)),
    "remove": ([1], lambda value: value.remove(1)),
    "reorder": ([1, 2], lambda value: value.reverse()),
    "True for 1": ([1], lambda value: value.__setitem__(slice(1), [True])),
    "1.0 for 1": ([1], lambda value: value.__setitem__(0, 1.0)),
    "-0.0 for 0.0": ([0.0], lambda value: value.__setitem__(0, -0.0)),
    "a tuple for a list": ([[1]], lambda value: value.__setitem__(0, (1,))),
    "a list for a tuple": ([(1,)], lambda value: value.__setitem__(0, [1])),
    "text for Markup": ([Markup("x")], lambda value: value.__setitem__(0, "x")),
    "Markup for text": (["x"], lambda value: value.__setitem__(0, Markup("x"))),
    "bytes for text": (["eA=="], lambda value: value.__setitem__(0, b"x")),
    "within a tuple": (([1],), lambda value: value[0].append(2)),
    "deep down": ([{"a": [{"b": []}]}], lambda value: value[0]["a"][0]["b"].append(0)),
    "a new key": ({"a": 1}, lambda value: value.update(b=2)),
    "a lost key": ({"a": 1}, lambda value: value.clear()),
    "what can't be stored": ([1], lambda value: value.append({1})),
    "itself": ([1], lambda value: value.append(value)),
}
HANDING_OUT: dict[str, Callable[[Session], Any]] = {
    "[]": lambda session: session["key"],
    "get": lambda session: session.get("key"),
    "setdefault": lambda session: session.setdefault("key"),
    "values": lambda session: next(iter(session.values())),
    "items": lambda session: next(iter(session.items()))[1],
    "copy": lambda session: session.copy()["key"],
    "copy.copy": lambda session: copy.copy(session)["key"],
    "|": lambda session: (session | {})["key"],
    "| from the right": lambda session: ({} | session)["key"],
    "dict": lambda session: dict(session)["key"],
    "**": lambda session: {**session}["key"],
    "update": lambda session: Session().__ior__(session)["key"],
}


@pytest.mark.parametrize("sights", [1, 2, 3])
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_inside_is_noticed(name, sights):
    """A change inside a value that was handed out is a change, judged as values are stored."""
    value, change = CHANGES[name]
    session = opened({"key": copy.deepcopy(value)}, sights=sights)
    change(session["key"])
    assert session.modified
    assert rewritten(session)


@pytest.mark.parametrize("sights", [1, 2])
@pytest.mark.parametrize("hand_out", HANDING_OUT.values(), ids=HANDING_OUT)
def test_every_way_to_a_value_is_watched(hand_out, sights):
    """However a value was handed out, a change inside it is noticed."""
    session = opened({"key": [1]}, sights=sights)
    value = hand_out(session)
    assert not session.modified
    value.append(2)
    assert session.modified


@pytest.mark.parametrize("sights", [1, 2])
@pytest.mark.parametrize(
    "wrong", [bytearray(b"x"), memoryview(b"x")], ids=["bytearray", "memoryview"]
)
def test_a_value_of_another_type_is_a_change_though_its_bytes_are_equal(wrong, sights):
    """Bytes replaced inside by what can't be stored are a change, so that saving says so."""
    session = opened({"key": [b"x"]}, sights=sights)
    session["key"][0] = wrong
    assert session.modified


def test_a_change_that_was_undone_is_none():
    """Contents are compared when it is asked: what was changed and changed back is as it was."""
    session = opened({"key": [1]})
    session["key"].append(2)
    session["key"].pop()
    assert not session.modified


@examples(100)
@given(CONTENTS, st.integers(1, 3))
def test_reading_everything_is_no_change(contents, sights):
    """Of any contents whatsoever, looking at all of them is no change."""
    session = opened(contents, sights=sights)
    list(session.items())
    assert not session.modified


@examples(100)
@given(CONTENTS.filter(bool), SCALARS, st.integers(1, 3), st.data())
def test_a_changed_value_is_noticed_anywhere(contents, value, sights, data):
    """Of any contents whatsoever, one value replaced inside is a change if it is stored so."""
    codec = make_codec()
    session = opened({"key": contents}, codec, sights=sights)
    before = codec.encode(dict.copy(session))
    inside = session["key"]
    if type(inside) is dict and inside:
        inside[data.draw(st.sampled_from(sorted(inside)))] = value
    assert session.modified is (codec.encode(dict.copy(session)) != before)


# The answer of an application


def test_modified_set_to_false_forgets_writes():
    """``modified`` set to False takes all writes so far as no reason to save."""
    session = opened(NESTED)
    session["user"] = "grace"
    session["cart"].append(1)
    session.modified = False
    assert not session.modified
    assert rewritten(session)  # what is written next holds them all the same


def test_modified_set_to_false_forgets_changes_inside():
    """A change inside, once ``modified`` was set to False, counts for the next writing alone."""
    session = opened(NESTED)
    session["cart"].append(1)
    session.modified = False
    assert not session.modified
    assert rewritten(session)


def test_modified_set_to_false_on_an_untouched_session_means_nothing():
    """Without a look before it, ``modified = False`` leaves what was loaded as it was."""
    session = opened(NESTED)
    session.modified = False
    assert not rewritten(session)


def test_modified_set_to_false_holds_for_later_looks_only_until_a_change():
    """After ``modified = False`` values that are handed out anew are watched again."""
    session = opened(NESTED)
    session["cart"].append(1)
    session.modified = False
    assert len(session) == 3
    assert not session.modified
    session["cart"].append(2)
    assert session.modified


def test_modified_set_to_false_is_what_later_changes_are_compared_with():
    """After ``modified = False`` it is the contents of then that a change is a change of."""
    session = opened(NESTED)
    session["cart"].append(1)
    session.modified = False
    assert session["cart"][-1] == 1
    assert not session.modified
    session["cart"].append(2)
    session["cart"].pop()
    assert not session.modified
    session["cart"].pop()  # which makes it what the cookie holds
    assert session.modified


def test_modified_set_to_false_is_believed_of_what_cannot_be_stored_too():
    """What can't be stored is no reason to save, once ``modified`` was set to False."""
    session = opened(NESTED)
    session["cart"].append({1})
    session.modified = False
    assert session["cart"][-1] == {1}
    assert not session.modified
    session["user"] = "grace"
    assert session.modified


def test_modified_set_to_true_stays():
    """``modified = True`` holds, however equal the contents are, until it is set to False."""
    session = opened(FLAT)
    session.modified = True
    assert session.modified
    len(session)
    assert session.modified
    session.modified = False
    assert not session.modified


@pytest.mark.parametrize("value", [1, "yes", [0]])
def test_modified_is_a_boolean(value):
    """What is assigned to ``modified`` is kept as True or False."""
    session = Session()
    session.modified = value
    assert session.modified is True


def test_permanent_is_a_key_like_any_other():
    """``permanent`` is kept as a boolean under ``_permanent``; assigning it is a change."""
    session = Session()
    assert session.permanent is False
    assert not session.modified
    session.permanent = 1
    assert exact(dict(session)) == exact({"_permanent": True})
    assert session.permanent is True
    assert session.modified
    session.permanent = 0
    assert exact(dict(session)) == exact({"_permanent": False})


# Copies

COPIES: dict[str, Callable[[Session], Session]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{
        f"pickle {protocol}": lambda session, protocol=protocol: pickle.loads(
            pickle.dumps(session, protocol)
        )
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    },
}


@pytest.mark.parametrize("make", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("changed", [False, True])
def test_a_copy_is_a_session_with_the_same_contents(make, changed):
    """A copy, also one by way of pickle, is loaded, a session, and as changed as the original."""
    session = opened(NESTED)
    if changed:
        session["cart"].append(1)
    made = make(session)
    assert type(made) is Session
    assert exact(dict(made)) == exact(dict(session))
    assert made.accessed
    assert made.modified is changed
    assert rewritten(made) is changed


@pytest.mark.parametrize("make", COPIES.values(), ids=COPIES)
def test_a_copy_remembers_what_was_written_and_disowned(make):
    """What was changed before ``modified = False`` counts in a copy as it does in the original."""
    session = opened(NESTED)
    session["user"] = "grace"
    session.modified = False
    made = make(session)
    assert not made.modified
    assert rewritten(made)


def test_a_deep_copy_shares_nothing():
    """A change inside a deep copy is none of the original, and the reverse."""
    session = opened(NESTED)
    made = copy.deepcopy(session)
    made["cart"].append(1)
    made["user"] = "grace"
    assert not session.modified
    assert exact(dict(session)) == exact(NESTED)


def test_copy_gives_a_plain_dict():
    """The method ``copy`` and the operator ``|`` give plain dicts, as those of a dict do."""
    session = opened(FLAT)
    assert type(session.copy()) is type(session | {}) is type({} | session) is dict


# Two sessions of one cookie


@pytest.mark.parametrize("contents", [FLAT, NESTED], ids=["flat", "nested"])
def test_two_sessions_of_one_cookie_share_nothing(contents):
    """What one request does to its session no other request with the same cookie ever sees."""
    codec = make_codec()
    token = codec.dump(contents)
    sessions = []
    for sight in range(5):
        session = Session.unopened(codec, token)
        assert exact(dict(session)) == exact(contents), sight
        assert not session.modified
        sessions.append(session)
        session[f"new {sight}"] = sight
        session.pop("user")
        for value in session.values():
            if isinstance(value, list):
                value.clear()
    containers = [[id(it) for it in session.values() if type(it) is list] for session in sessions]
    flat = [each for ids in containers for each in ids]
    assert len(set(flat)) == len(flat)


# What stands in

NULL_READS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "get": (lambda session: session.get("a"), None),
    "in": (lambda session: "a" in session, False),
    "len": (len, 0),
    "bool": (bool, False),
    "dict": (dict, {}),
    "list": (list, []),
    "permanent": (lambda session: session.permanent, False),
    "modified": (lambda session: session.modified, False),
    "==": (lambda session: session == {}, True),
    "repr": (repr, "<NullSession {}>"),
}
NULL_WRITES: dict[str, Callable[[Any], Any]] = {
    **WRITES,
    "pop missing": lambda session: session.pop("missing", None),
    "pop missing, by keyword": lambda session: session.pop("missing", default=None),
    "|= nothing": lambda session: session.__ior__({}),
}


@pytest.mark.parametrize(("read", "expected"), NULL_READS.values(), ids=NULL_READS)
def test_a_null_session_can_be_read(read, expected):
    """A session that stands in reads as empty and unchanged."""
    assert read(NullSession()) == expected


def test_a_missing_key_is_a_key_error():
    """A missing key of a session that stands in is what it is of any other."""
    with pytest.raises(KeyError):
        NullSession()["a"]


@pytest.mark.parametrize("write", NULL_WRITES.values(), ids=NULL_WRITES)
def test_a_null_session_refuses_to_be_written(write):
    """Every write to a session that stands in raises, says why and what to do."""
    session = NullSession()
    with pytest.raises(SessionUnavailable) as caught:
        write(session)
    assert "session is unavailable because no secret key was set" in str(caught.value)
    assert "Set SECRET_KEY" in str(caught.value)
    assert isinstance(caught.value, RuntimeError)
    assert session == {}
    assert not session.modified


def test_the_in_place_operator_is_refused_too():
    """``|=`` on a session that stands in is an error as well, not a silent nothing."""
    session: Any = NullSession()
    with pytest.raises(SessionUnavailable):
        session |= {"a": 1}


class Named(Session):
    """A subclass with a default of its own."""

    defaults: ClassVar[dict[str, Any]] = {"theme": "dark"}

    def __missing__(self, key: str) -> Any:
        return self.defaults[key]


def test_a_subclass_may_have_defaults():
    """A subclass that defines ``__missing__`` is asked as that of a dict is."""
    session = Named.unopened(Recorder({"a": 1}), "token")
    assert session["theme"] == "dark"
    assert session["a"] == 1


def test_a_forked_process_can_load_sessions():
    """A lock that another thread held when a process was forked is made anew in that process."""
    held = loading.lock()
    with held:
        loading.renew()
        assert loading.lock() is not held
        with loading.lock():
            pass
