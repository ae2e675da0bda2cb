"""A session is a real ``dict`` of which every method and operator decodes first."""

from __future__ import annotations

import copy
import json
import operator
import pickle
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

import flask.sessions
import pytest
from flask import session
from pairs import CONTEXT_MARKS_ACCESS, SECRET, make_app

import holdfast
from holdfast.flask import (
    NullSession,
    SecureCookieSession,
    SecureCookieSessionInterface,
    TaggedJSONSerializer,
)

CONTENTS: dict[str, Any] = {"a": 1, "list": [1, 2], "nested": {"b": [1]}, "t": (1,)}


def make_cookie(contents: dict[str, Any] = CONTENTS) -> str:
    """Return the cookie of a session."""
    app = make_app(SecureCookieSessionInterface())
    with app.app_context():
        serializer = SecureCookieSessionInterface().get_signing_serializer(app)
        assert serializer is not None
        made: str = serializer.dumps(contents)
    return made


def opened(times: int = 1, **attributes: Any) -> SecureCookieSession:
    """Return the session of a request whose cookie has not been decoded yet.

    ``times`` is how many requests bring this cookie, up to this one; ``attributes`` are set on
    the interface that opens it.
    """
    interface = SecureCookieSessionInterface()
    vars(interface).update(attributes)
    app = make_app(interface)
    request = app.request_class({"HTTP_COOKIE": f"session={make_cookie()}"})
    for _ in range(times - 1):
        earlier = interface.open_session(app, request)
        assert earlier["nested"] == {"b": [1]}
        assert not earlier.modified
    held: SecureCookieSession = interface.open_session(app, request)
    assert not dict.__contains__(held, "a"), "it was decoded already: these tests prove nothing"
    assert not held.accessed
    return held


# What is done with a method, and what comes of it on a dict with the same contents.
METHODS: dict[str, Callable[[Any], Any]] = {
    "__class_getitem__": lambda _held: None,
    "__contains__": lambda held: "a" in held,
    "__delitem__": lambda held: operator.delitem(held, "a"),
    "__eq__": lambda held: held == CONTENTS,
    "__ge__": lambda held: held.__ge__({}),
    "__getitem__": lambda held: held["a"],
    "__gt__": lambda held: held.__gt__({}),
    "__ior__": lambda held: dict(operator.ior(held, {"b": 2})),
    "__iter__": list,
    "__le__": lambda held: held.__le__({}),
    "__len__": len,
    "__lt__": lambda held: held.__lt__({}),
    "__ne__": lambda held: held != CONTENTS,
    "__or__": lambda held: held | {"b": 2},
    "__reduce__": lambda held: dict(pickle.loads(pickle.dumps(held, 0))),
    "__reduce_ex__": lambda held: dict(pickle.loads(pickle.dumps(held))),
    "__repr__": lambda held: repr(held).partition("{")[2].rstrip(">"),
    "__reversed__": lambda held: list(reversed(held)),
    "__ror__": lambda held: {"b": 2} | held,
    "__setitem__": lambda held: operator.setitem(held, "b", 2),
    "__sizeof__": lambda held: held.__sizeof__() >= {"a": 1}.__sizeof__(),
    "__str__": lambda held: str(held).partition("{")[2].rstrip(">"),
    "__format__": lambda held: format(held, "").partition("{")[2].rstrip(">"),
    "clear": lambda held: held.clear(),
    "copy": lambda held: dict(held.copy()),
    "get": lambda held: held.get("a"),
    "items": lambda held: list(held.items()),
    "keys": lambda held: list(held.keys()),
    "pop": lambda held: held.pop("a"),
    "popitem": lambda held: held.popitem(),
    "setdefault": lambda held: held.setdefault("a", 5),
    "update": lambda held: held.update(b=2),
    "values": lambda held: list(held.values()),
}

EXEMPT = {
    "__class__": "of every object, and says nothing of the contents",
    "__class_getitem__": "of the class: dict[str, int]",
    "__delattr__": "of attributes, not of contents",
    "__dir__": "of attributes, not of contents",
    "__doc__": "of the class",
    "__ge__": "no dict is ordered: always NotImplemented",
    "__getattribute__": "of attributes, not of contents",
    "__getstate__": "of attributes; pickling asks __reduce_ex__, which is tested",
    "__gt__": "no dict is ordered: always NotImplemented",
    "__hash__": "None: no mutable mapping has one",
    "__init__": "makes a session",
    "__init_subclass__": "of the class",
    "__le__": "no dict is ordered: always NotImplemented",
    "__lt__": "no dict is ordered: always NotImplemented",
    "__new__": "makes a session",
    "__setattr__": "of attributes, not of contents",
    "__subclasshook__": "of the class",
    "fromkeys": "of the class: makes another session",
}


def test_every_name_of_dict_is_tested_or_exempt():
    """Nothing that ``dict`` has, in this Python or a later one, is left out by mistake."""
    assert set(dir(dict)) - set(METHODS) - set(EXEMPT) == set()


# The first request with a cookie, and later ones, may be served in different ways.
TIMES = pytest.mark.parametrize("times", [1, 2, 3, 5])


@TIMES
@pytest.mark.parametrize("name", sorted(set(METHODS) - set(EXEMPT)))
def test_every_method_decodes_first(name, times):
    """Whatever a dict can do, an undecoded session does with its decoded contents."""
    held, plain = opened(times), copy.deepcopy(CONTENTS)
    assert METHODS[name](held) == METHODS[name](plain)
    assert dict.copy(held) == plain
    assert held.accessed
    assert held.modified is (plain != CONTENTS)


@pytest.mark.parametrize("name", sorted(set(METHODS) - set(EXEMPT)))
def test_every_method_does_the_same_in_the_order_that_it_had(name):
    """Contents keep their order, so that ``popitem`` and iteration give the same."""
    held, plain = opened(), copy.deepcopy(CONTENTS)
    METHODS[name](held)
    METHODS[name](plain)
    assert list(dict.items(held)) == list(plain.items())


@pytest.mark.parametrize(
    "operate",
    [
        lambda held: held <= {},
        lambda held: held < {},
        lambda held: held >= {},
        lambda held: held > {},
        hash,
    ],
)
def test_what_no_dict_can_do_no_session_can_do(operate):
    """Sessions have no order and no hash."""
    with pytest.raises(TypeError):
        operate(opened())


@pytest.mark.parametrize("name", ["__delitem__", "__getitem__", "pop", "popitem"])
def test_errors_are_those_of_a_dict(name):
    """A missing key is a KeyError, after decoding, and changes nothing."""
    held = opened()
    missing: dict[str, Callable[[], Any]] = {
        "__delitem__": lambda: operator.delitem(held, "missing"),
        "__getitem__": lambda: held["missing"],
        "pop": lambda: held.pop("missing"),
        "popitem": lambda: SecureCookieSession().popitem(),
    }
    with pytest.raises(KeyError):
        missing[name]()
    assert not held.modified


@pytest.mark.parametrize(
    "operate",
    [
        lambda held: held.get(),
        lambda held: held.get("a", 1, 2),
        lambda held: held.get(key="a"),
        lambda held: held.pop(),
        lambda held: held.pop("a", 1, 2),
        lambda held: held.update(1),
        lambda held: held.update({}, {}),
        lambda held: held.update([1]),
        lambda held: held | 1,
        lambda held: held | [("a", 1)],
        lambda held: 1 | held,
        lambda held: held.setdefault(),
        lambda held: held.__getitem__([]),
        lambda held: [] in held,
        lambda held: held.__setitem__([], 1),
        lambda held: SecureCookieSession(1),
    ],
)
def test_wrong_arguments_are_errors_as_of_a_dict(operate):
    """Arguments that a dict refuses are refused with the same error."""
    with pytest.raises((TypeError, ValueError)) as expected:
        operate(copy.deepcopy(CONTENTS))
    with pytest.raises(expected.type):
        operate(opened())


# Code written in C


def match(held: Any) -> Any:
    match held:
        case {"a": value, **rest}:
            return value, rest
    return None


C_LEVEL: dict[str, Callable[[Any], Any]] = {
    "len": dict.__len__,
    "copy": dict.copy,
    "dict": dict,
    "unpack": lambda held: {**held},
    "keywords": lambda held: dict(**held),
    "json": json.dumps,
    "or": lambda held: {"b": 2} | held,
    "update": lambda held: dict(operator.ior({}, held)),
    "equal": lambda held: held == CONTENTS,
    "equal, reflected": lambda held: CONTENTS == held,  # noqa: SIM300  # the other way round
    "list": list,
    "sorted": sorted,
    "iterate": lambda held: list(iter(held.items())),
    "bool": bool,
    "match": match,
    "getitem": lambda held: operator.getitem(held, "a"),
    "itemgetter": operator.itemgetter("a", "list"),
    "format": lambda held: "%(a)s" % held,  # noqa: UP031  # reads the dict in C
    "format_map": "{a}".format_map,
}


@pytest.mark.parametrize("name", C_LEVEL)
def test_setting_accessed_decodes_for_code_written_in_c(name):
    """Flask sets ``accessed`` when it hands a session out; from then on it is a plain dict too."""
    held = opened()
    held.accessed = True
    assert C_LEVEL[name](held) == C_LEVEL[name](copy.deepcopy(CONTENTS))


@pytest.mark.skipif(not CONTEXT_MARKS_ACCESS, reason="before 3.1.3 Flask does not set `accessed`")
@pytest.mark.parametrize("name", C_LEVEL)
def test_the_session_behind_the_proxy_is_decoded(name):
    """Whatever a view gives the object behind the proxy to, it sees the contents."""
    app = make_app(SecureCookieSessionInterface())
    with app.test_request_context(environ_overrides={"HTTP_COOKIE": f"session={make_cookie()}"}):
        held = session._get_current_object()
        assert C_LEVEL[name](held) == C_LEVEL[name](copy.deepcopy(CONTENTS))


@pytest.mark.parametrize(
    "name", ["equal", "list", "sorted", "iterate", "bool", "getitem", "itemgetter", "format_map"]
)
def test_code_written_in_c_that_asks_methods_is_answered(name):
    """Where C code asks a dict's methods, an undecoded session answers rightly too."""
    assert C_LEVEL[name](opened()) == C_LEVEL[name](copy.deepcopy(CONTENTS))


# accessed, modified, permanent, new


UNMODIFYING: dict[str, Callable[[Any], Any]] = {
    "pop, default": lambda held: held.pop("missing", None),
    "setdefault": lambda held: held.setdefault("a", 2),
    "reading a nested value": lambda held: held["nested"]["b"][0],
    "items": lambda held: [value for _, value in held.items()],
    "copy": lambda held: held.copy()["nested"],
    "deepcopy, changed": lambda held: copy.deepcopy(held)["nested"]["b"].append(1),
    "pickle, changed": lambda held: pickle.loads(pickle.dumps(held))["nested"]["b"].append(1),
    "or, changed on top": lambda held: (held | {}).update(x=1),
    "copy, changed on top": lambda held: held.copy().update(x=1),
    "changed and changed back": lambda held: (held["list"].append(3), held["list"].pop()),
}


MODIFYING: dict[str, Callable[[Any], Any]] = {
    "item": lambda held: held["list"].append(3),
    "get": lambda held: held.get("nested").update(c=1),
    "values": lambda held: [value.clear() for value in held.values() if isinstance(value, list)],
    "items": lambda held: [value.clear() for key, value in held.items() if key == "nested"],
    "setdefault": lambda held: held.setdefault("list", []).append(3),
    "deep": lambda held: held["nested"]["b"].append(2),
    "copy": lambda held: held.copy()["list"].append(3),
    "or": lambda held: (held | {})["list"].append(3),
    "or, reflected": lambda held: ({} | held)["list"].append(3),
    "true for one": lambda held: held["list"].__setitem__(slice(1), [True]),
    "tuple for list": lambda held: operator.setitem(held["nested"], "b", (1,)),
    "unpack": lambda held: {**held}["list"].append(3),
    "match": lambda held: match(held)[1]["list"].append(3),
}


def test_a_new_session_is_neither_accessed_nor_modified():
    """A session begins untouched, also with contents."""
    for held in (SecureCookieSession(), SecureCookieSession({"a": 1}), opened()):
        assert (held.accessed, held.modified, held.new) == (False, False, False)


def test_asking_for_flags_is_no_look():
    """``modified``, ``accessed`` and ``new`` tell nothing of the contents and decode nothing."""
    held = opened()
    assert (held.modified, held.accessed, held.new) == (False, False, False)
    assert not dict.__contains__(held, "a")


def test_accessed_can_be_taken_back():
    """Setting ``accessed`` to False is possible, and loses nothing."""
    held = opened()
    held["b"] = 2
    held.accessed = False
    assert not held.accessed
    assert held == CONTENTS | {"b": 2}
    assert held.accessed


def test_a_session_is_decoded_once():
    """However often a session is looked at, its cookie is decoded once."""
    loads = []

    class Counting(TaggedJSONSerializer):
        def untag_within(self, value: Any) -> Any:
            loads.append(value)
            return super().untag_within(value)

    held = opened(serializer=Counting())
    assert loads == []
    for name in ("get", "items", "__len__", "__repr__", "keys", "__contains__"):
        METHODS[name](held)
    held.accessed = False
    held.accessed = True
    assert held["a"] == 1
    assert loads.count(loads[0]) == 1


@pytest.mark.parametrize("name", MODIFYING)
def test_sessions_that_one_cookie_brings_share_nothing(name):
    """What one request does to its session, saved or not, no other request with it sees."""
    interface = SecureCookieSessionInterface()
    app = make_app(interface)
    environ = {"HTTP_COOKIE": f"session={make_cookie()}"}
    for _ in range(5):
        held = interface.open_session(app, app.request_class(environ))
        other = interface.open_session(app, app.request_class(environ))
        held.accessed = True
        MODIFYING[name](held)
        held["top"] = 1
        assert held.modified
        assert other == CONTENTS
        assert not other.modified


def test_sessions_of_plain_values_that_one_cookie_brings_share_nothing():
    """The same holds where no value can change inside."""
    interface = SecureCookieSessionInterface()
    app = make_app(interface)
    environ = {"HTTP_COOKIE": f"session={make_cookie({'a': 1, 'b': 'text'})}"}
    for operation in ("clear", "popitem", "__setitem__", "update", "__ior__", "pop") * 2:
        held = interface.open_session(app, app.request_class(environ))
        METHODS[operation](held)
        assert held.modified
        assert interface.open_session(app, app.request_class(environ)) == {"a": 1, "b": "text"}


@pytest.mark.parametrize("contents", [{"a": 1}, {"a": 1, "_permanent": True}])
def test_saving_is_no_look(contents):
    """What an interface asks of a session while saving it leaves ``accessed`` as it was."""

    class Asking(SecureCookieSessionInterface):
        def should_set_cookie(self, app: Any, session: Any) -> bool:
            return super().should_set_cookie(app, session)

    for interface in (SecureCookieSessionInterface(), Asking()):
        app = make_app(interface)
        environ = {"HTTP_COOKIE": f"session={make_cookie(contents)}"}
        held = interface.open_session(app, app.request_class(environ))
        for _ in range(2):
            response = app.response_class()
            interface.save_session(app, held, response)
            assert not held.accessed or held.permanent  # a cookie is set: nothing depends on it
            assert ("Vary" in response.headers) == ("Set-Cookie" in response.headers)


def test_permanent_is_a_key_like_any_other():
    """``permanent`` reads and writes ``_permanent``, and writing it modifies."""
    held = SecureCookieSession()
    assert held.permanent is False
    assert not held.modified
    held.permanent = 5  # type: ignore[assignment]
    assert held == {"_permanent": True}
    assert held.modified
    held = SecureCookieSession({"_permanent": "odd"})
    assert held.permanent == "odd"  # type: ignore[comparison-overlap]


@TIMES
@pytest.mark.parametrize("name", UNMODIFYING)
def test_what_changes_nothing_modifies_nothing(name, times):
    """Reading, nested values included, and what a copy undergoes is no change."""
    held = opened(times)
    UNMODIFYING[name](held)
    assert not held.modified
    assert held == CONTENTS


@TIMES
@pytest.mark.parametrize("name", MODIFYING)
def test_a_change_inside_a_value_that_was_handed_out_is_noticed(name, times):
    """However a nested value was reached, a change inside it modifies the session."""
    held = opened(times)
    held.accessed = True  # as Flask does, so that code written in C sees the contents
    MODIFYING[name](held)
    assert held.modified


def test_modified_set_to_false_holds_for_looks_that_follow():
    """After ``modified = False`` only further changes modify; reading does not."""
    held = opened()
    held["b"] = 2
    held.modified = False
    assert held["nested"] == {"b": [1]}
    assert not held.modified
    held = opened()
    held["list"].append(3)
    held.modified = False
    assert held["list"] == [1, 2, 3]
    assert not held.modified


def test_modified_set_to_false_does_not_end_watching():
    """A change inside a nested value after ``modified = False`` is noticed."""
    held = opened()
    held["list"].append(3)
    held.modified = False
    held["list"].append(4)
    assert held.modified


# Copies


def test_a_deep_copy_is_a_session_of_its_own():
    """``copy.deepcopy`` gives a session that shares nothing."""
    held = opened()
    other = copy.deepcopy(held)
    assert type(other) is type(held)
    assert other == held
    other["nested"]["b"].append(9)
    assert held == CONTENTS


def test_a_shallow_copy_shares_values():
    """``copy.copy`` gives a session with the same values; a new key in one is not in the other."""
    held = opened()
    other = copy.copy(held)
    other["new"] = 1
    assert "new" not in held
    assert other["nested"] is held["nested"]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickled_session_comes_back(protocol):
    """A session can be pickled with every protocol, decoded first."""
    held = opened()
    other = pickle.loads(pickle.dumps(held, protocol))
    assert (type(other), other) == (type(held), CONTENTS)
    assert not other.modified
    held["b"] = 2
    assert pickle.loads(pickle.dumps(held, protocol)).modified


def test_from_keys_makes_a_session():
    """``fromkeys`` is of the class, as for every subclass of dict."""
    made = SecureCookieSession.fromkeys(["a", "b"], 1)
    assert (type(made), made) == (SecureCookieSession, {"a": 1, "b": 1})


# Subclasses


def test_what_isinstance_says_is_true():
    """Ours are dicts, mutable mappings, and what Flask's classes are."""
    held = opened()
    assert isinstance(held, dict)
    assert isinstance(held, MutableMapping)
    assert isinstance(held, flask.sessions.SecureCookieSession)
    assert isinstance(held, flask.sessions.SessionMixin)
    assert not isinstance(held, flask.sessions.NullSession)
    assert isinstance(NullSession(), flask.sessions.NullSession)
    assert isinstance(SecureCookieSessionInterface(), flask.sessions.SessionInterface)


def test_a_subclass_may_call_super():
    """A subclass that overrides methods and calls ``super()`` reaches ours."""
    seen = []

    class Own(SecureCookieSession):
        def __getitem__(self, key: str) -> Any:
            seen.append(key)
            return super().__getitem__(key)

        def __setitem__(self, key: str, value: Any) -> None:
            super().__setitem__(key.lower(), value)

        def __iter__(self) -> Iterator[str]:
            return iter(sorted(super().__iter__(), reverse=True))

    held = opened(session_class=Own)
    assert held["a"] == 1
    held["UPPER"] = 1
    assert list(held) == ["upper", "t", "nested", "list", "a"]
    assert seen == ["a"]
    assert held.modified


# Null sessions


NULL_READS = ["__contains__", "__iter__", "__len__", "__repr__", "get", "items", "keys", "values"]
NULL_WRITES: dict[str, Callable[[Any], Any]] = {
    "__setitem__": lambda held: operator.setitem(held, "a", 1),
    "__delitem__": lambda held: operator.delitem(held, "a"),
    "__ior__": lambda held: operator.ior(held, {"a": 1}),
    "clear": lambda held: held.clear(),
    "pop": lambda held: held.pop("a"),
    "pop, default": lambda held: held.pop("a", 1),
    "popitem": lambda held: held.popitem(),
    "setdefault": lambda held: held.setdefault("a", 1),
    "update": lambda held: held.update(a=1),
    "permanent": lambda held: setattr(held, "permanent", 1),
}


@pytest.mark.parametrize("name", NULL_READS)
def test_a_null_session_can_be_read(name):
    """A null session reads as empty."""
    assert METHODS[name](NullSession()) == METHODS[name]({})


@pytest.mark.parametrize("name", NULL_WRITES)
def test_a_null_session_cannot_be_written(name):
    """Every way of writing to a null session raises an error that says what to do."""
    held = NullSession()
    with pytest.raises(holdfast.SessionUnavailable, match="because no secret key was set"):
        NULL_WRITES[name](held)
    assert held == {}
    assert not held.modified


def test_a_missing_key_of_a_null_session_is_a_key_error():
    """``session["a"]`` without a secret key is a KeyError, as of any empty mapping."""
    with pytest.raises(KeyError):
        NullSession()["a"]


def test_the_secret_of_these_tests_is_no_weak_one():
    """A weak key would give a warning, and warnings are errors here."""
    assert len(SECRET) > 16
