"""The same requests, answered byte for byte alike on Flask's sessions and on ours."""

from __future__ import annotations

import hashlib
import itertools
import json
import operator
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import flask
import pytest
from flask import session
from flask.json.provider import DefaultJSONProvider, JSONProvider
from flask.json.tag import JSONTag
from hypothesis import given, strategies as st
from markupsafe import Markup
from pairs import (
    CONTEXT_MARKS_ACCESS,
    HAS_FALLBACKS,
    HAS_PARTITIONED,
    NOTICES_UPDATE_IN_PLACE,
    OTHER_SECRET,
    SECRET,
    START,
    Pair,
    clock,
    examples,
    visible,
)

import holdfast


@pytest.fixture
def now():
    with clock() as hands:
        yield hands


def delete(key: str) -> None:
    del session[key]


class Unstorable:
    """Something that no tag takes, with a name that is the same in both applications."""

    def __repr__(self) -> str:
        return "unstorable"


def update_in_place(other: Any) -> None:
    held = session._get_current_object()
    held |= other


# What a view may do with its session, and what it shows of the result.
OPERATIONS: dict[str, Callable[[], object]] = {
    "nothing": lambda: None,
    "get": lambda: session.get("a"),
    "get, missing": lambda: session.get("missing", "default"),
    "item": lambda: session["a"],
    "item, nested": lambda: session["n"]["list"][0],
    "set": lambda: session.__setitem__("b", 2),
    "set, equal": lambda: session.__setitem__("a", 1),
    "set, every type": lambda: session.update(
        tuple=(1, (2,)),
        bytes=b"\0\xff",
        markup=Markup("<b>&amp;</b>"),
        uuid=uuid.UUID(int=7),
        date=datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC),
        taglike={" t": [1]},
        text="é\x7f\U0001f40d\ud800",
    ),
    "set, unstorable": lambda: session.__setitem__("b", Unstorable()),
    "set, unsortable": lambda: session.update({"n": {"a": 1, 2: 3}}),
    "set, large": lambda: session.__setitem__("b", "".join(map(str, range(500)))),
    "delete": lambda: delete("a"),
    "delete, missing": lambda: delete("missing"),
    "clear": lambda: session.clear(),  # noqa: PLW0108  # bound when called
    "clear, set": lambda: (session.clear(), session.update(c=3)),
    "pop": lambda: session.pop("a"),
    "pop, default": lambda: session.pop("a", 0),
    "pop, missing": lambda: session.pop("missing", "default"),
    "pop, missing, error": lambda: session.pop("missing"),
    "popitem": lambda: session.popitem(),  # noqa: PLW0108  # bound when called
    "set, pop": lambda: (session.update(t=1), session.pop("t")),
    "setdefault": lambda: session.setdefault("b", [1]),
    "setdefault, existing": lambda: session.setdefault("a", 5),
    "update": lambda: session.update({"b": 1}, c=2),
    "update, nothing": lambda: session.update({}),
    "update, pairs": lambda: session.update([("b", 1), ("c", 2)]),
    "or in place": lambda: update_in_place({"b": 1}),
    "or in place, pairs": lambda: update_in_place([("b", 1)]),
    "or": lambda: sorted(session | {"b": 1}),
    "or, reflected": lambda: sorted({"b": 1} | session),
    "contains": lambda: "a" in session,
    "len": lambda: len(session),
    "bool": lambda: bool(session),
    "equal": lambda: session == {"a": 1},
    "iterate": lambda: list(session),
    "reversed": lambda: list(reversed(session._get_current_object())),
    "keys": lambda: list(session.keys()),
    "values": lambda: list(session.values()),
    "items": lambda: list(session.items()),
    "dict": lambda: dict(session),
    "json": lambda: flask.json.dumps(session._get_current_object()),
    "copy": lambda: session.copy(),  # noqa: PLW0108  # bound when called
    "permanent": lambda: session.permanent,
    "permanent, true": lambda: setattr(session, "permanent", True),
    "permanent, false": lambda: setattr(session, "permanent", False),
    "permanent, truthy": lambda: setattr(session, "permanent", 5),
    "permanent, odd": lambda: session.__setitem__("_permanent", "yes"),
    "modified": lambda: session.modified,
    "modified, true": lambda: setattr(session, "modified", True),
    "modified, false": lambda: setattr(session, "modified", False),
    "set, modified false": lambda: (session.update(b=1), setattr(session, "modified", False)),
    "pop, modified false": lambda: (session.pop("a", 0), setattr(session, "modified", False)),
    "clear, modified false": lambda: (session.clear(), setattr(session, "modified", False)),
    "nested, modified true": lambda: (
        session["n"]["list"].append(4),
        setattr(session, "modified", True),
    ),
    "nested, assigned": lambda: session.__setitem__("n", session["n"] | {"more": 1}),
    "new": lambda: session.new,
    "accessed": lambda: session.accessed if CONTEXT_MARKS_ACCESS else None,
    "accessed, false": lambda: setattr(session, "accessed", False),
    "isinstance": lambda: (
        isinstance(session, dict),
        isinstance(session, flask.sessions.SecureCookieSession),
        isinstance(session, flask.sessions.SessionMixin),
        isinstance(session, flask.sessions.NullSession),
    ),
    "flash": lambda: flask.flash("hello"),
    "flash, twice": lambda: (flask.flash("a", "error"), flask.flash("b")),
    "flashed": lambda: flask.get_flashed_messages(with_categories=True),
    "abort": lambda: flask.abort(404),
    "set, abort": lambda: (session.update(b=1), flask.abort(403)),
    "raise": lambda: operator.truediv(1, 0),
    "set, raise": lambda: (session.update(b=1), operator.truediv(1, 0)),
    "clear, raise": lambda: (session.clear(), operator.truediv(1, 0)),
}

if not NOTICES_UPDATE_IN_PLACE:
    del OPERATIONS["or in place"], OPERATIONS["or in place, pairs"]

STARTS: dict[str, dict[str, Any] | None] = {
    "no cookie": None,
    "contents": {"a": 1, "n": {"list": [1, 2, 3]}, "tuple": (1, b"2")},
    "permanent": {"a": 1, "n": {"list": [1, 2, 3]}, "_permanent": True},
    "not permanent": {"a": 1, "_permanent": False},
    "flashes": {"a": 1, "_flashes": [("message", "hello")]},
}


def scripted(app: flask.Flask) -> None:
    """Add views that do what the client says, and show it."""

    @app.route("/start/<name>")
    def start(name: str) -> str:
        session.update(STARTS[name] or {})
        return ""

    @app.route("/do/<path:name>", methods=["GET", "POST"])
    def do(name: str) -> str:
        return ascii(OPERATIONS[name]())

    @app.route("/show")
    def show() -> str:
        return visible(session)


@pytest.mark.parametrize("refresh", [True, False])
@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_one_operation_has_the_same_effect_on_either(operation, start, refresh, now):
    """Whatever a view does, status, headers, body and what is kept are the same as on Flask."""
    pair = Pair(scripted, SESSION_REFRESH_EACH_REQUEST=refresh)
    if STARTS[start] is not None:
        pair.get(f"/start/{start}")
    now.now += 100
    pair.get(f"/do/{operation}")
    now.now += 100
    pair.get("/show")


# An access taken back shows in Vary alone, and on error pages otherwise than on Flask.
NAMES = st.sampled_from(sorted(OPERATIONS.keys() - {"accessed, false"}))
STEP = st.one_of(
    st.tuples(st.just("get"), st.lists(NAMES, max_size=5)),
    st.tuples(st.just("get"), st.lists(NAMES, max_size=5)),
    st.tuples(st.just("start"), st.sampled_from([name for name in STARTS if STARTS[name]])),
    st.tuples(st.just("wait"), st.sampled_from([0, 1, 59, 60, 61, -5, 3600])),
    st.tuples(st.just("refresh"), st.booleans()),
    st.tuples(st.just("lifetime"), st.sampled_from([1, 60, timedelta(seconds=60.9), 86400])),
    st.tuples(st.just("secret"), st.sampled_from([SECRET, OTHER_SECRET])),
    st.tuples(
        st.just("fallbacks"), st.sampled_from([None, [], [SECRET], [OTHER_SECRET, SECRET.encode()]])
    ),
    st.tuples(st.just("forget"), st.none()),
)


def programmed(app: flask.Flask) -> None:
    """Add a view that does several things in one request."""
    scripted(app)

    @app.route("/program")
    def program() -> str:
        return ascii([OPERATIONS[name]() for name in flask.request.args.getlist("do")])


@given(steps=st.lists(STEP, max_size=8))
@examples(300)
def test_programs_of_several_requests_have_the_same_effect_on_either(steps):  # noqa: C901  # a list of cases
    """Any sequence of requests and changes of configuration goes as it goes on Flask."""
    with clock() as now:
        pair = Pair(programmed, PERMANENT_SESSION_LIFETIME=60)
        for kind, argument in steps:
            match kind:
                case "get":
                    pair.get("/program", query_string=[("do", name) for name in argument])
                case "start":
                    pair.get(f"/start/{argument}")
                case "wait":
                    now.now += argument
                case "refresh":
                    pair.configure(SESSION_REFRESH_EACH_REQUEST=argument)
                case "lifetime":
                    pair.configure(PERMANENT_SESSION_LIFETIME=argument)
                case "secret":
                    pair.configure(SECRET_KEY=argument)
                case "fallbacks" if HAS_FALLBACKS:
                    pair.configure(SECRET_KEY_FALLBACKS=argument)
                case "forget":
                    for client in pair.clients:
                        client.delete_cookie("session")
            assert pair.jar() == getattr(pair.clients[0].get_cookie("session"), "value", None)
        pair.get("/show")


@pytest.mark.parametrize("operation", ["set, unstorable", "set, unsortable"])
def test_modified_set_to_false_on_what_cannot_be_stored_saves_nothing(operation, now):
    """A value that can't be stored does no harm in a session that is not to be saved."""
    pair = Pair(programmed)
    pair.get("/start/contents")
    answer = pair.get(
        "/program", query_string=[("do", operation), ("do", "modified, false"), ("do", "len")]
    )
    assert answer.status_code == 200
    answer = pair.get("/program", query_string=[("do", operation), ("do", "modified, false")])
    assert answer.status_code == 200


# Around the view


def surrounded(app: flask.Flask) -> None:  # noqa: C901  # a list of views
    """Add all that runs around a view, and handlers of errors."""
    scripted(app)

    @app.before_request
    def before() -> None:
        if "before" in flask.request.args:
            session["before"] = flask.request.path

    @app.after_request
    def after(response: flask.Response) -> flask.Response:
        if "after" in flask.request.args:
            session["after"] = response.status_code
        return response

    @app.teardown_request
    def teardown(_error: BaseException | None) -> None:
        if "teardown" in flask.request.args:
            session["teardown"] = 1

    @app.errorhandler(ZeroDivisionError)
    def handled(_error: ZeroDivisionError) -> tuple[str, int]:
        session["handled"] = True
        return visible(session), 500

    @app.errorhandler(403)
    def forbidden(_error: Exception) -> tuple[str, int]:
        return visible(session), 403

    @app.route("/redirect")
    def redirect() -> Any:
        session["redirected"] = True
        return flask.redirect("/show")

    @app.route("/stream")
    def stream() -> Any:
        session["before the body"] = 1

        @flask.stream_with_context
        def body() -> Any:
            yield visible(session)
            session["in the body"] = 1
            yield visible(session)

        return app.response_class(body())

    @app.route("/stream/read")
    def stream_read() -> Any:
        @flask.stream_with_context
        def body() -> Any:
            yield visible(session)

        return app.response_class(body())


PATHS = [
    "/show",
    "/do/set",
    "/do/set, abort",
    "/do/set, raise",
    "/do/clear",
    "/do/nothing",
    "/do/unknown to the view",
    "/missing",
    "/redirect",
    "/stream",
    "/stream/read",
    "/static/pairs.py",
    "/static/missing.py",
]


@pytest.mark.parametrize("hook", ["", "?before=1", "?after=1", "?teardown=1", "?before&after"])
@pytest.mark.parametrize("start", ["no cookie", "contents", "permanent"])
@pytest.mark.parametrize("path", PATHS)
def test_hooks_errors_streams_and_static_files_save_as_on_flask(path, start, hook, now):
    """Saving follows every ``after_request``, for every kind of response, as on Flask."""
    pair = Pair(surrounded)
    if STARTS[start] is not None:
        pair.get(f"/start/{start}")
    now.now += 1
    pair.get(path + hook)
    for method in ("HEAD", "OPTIONS", "POST"):
        now.now += 1
        pair.open(path + hook, method=method)
    pair.get("/show")


def test_unhandled_errors_save_what_was_written(now):
    """An answer of 500 that nobody handles keeps what the view wrote, as on Flask."""
    pair = Pair(scripted)
    assert pair.get("/do/set, raise").status_code == 500
    assert "'b': 1" in pair.get("/show").text


def test_errors_reach_a_testing_client_alike(now):
    """What saving raises is of the class that Flask raises."""
    pair = Pair(scripted, PROPAGATE_EXCEPTIONS=True)
    assert isinstance(pair.get("/do/set, unstorable"), holdfast.UnstorableValue)
    assert isinstance(pair.get("/do/delete, missing"), KeyError)
    assert isinstance(pair.get("/do/raise"), ZeroDivisionError)


# Without a secret key


NULL_OPERATIONS = sorted(
    set(OPERATIONS) - {name for name in OPERATIONS if name.startswith("or in place")}
)


@pytest.mark.parametrize("secret", [None, "", b""])
def test_without_a_secret_key_every_operation_ends_as_on_flask(secret, now):
    """Reading a null session works and writing raises RuntimeError; no cookie is ever set."""
    pair = Pair(scripted, SECRET_KEY=secret, PROPAGATE_EXCEPTIONS=True)
    for name in NULL_OPERATIONS:
        answer = pair.get(f"/do/{name}")
        if isinstance(answer, RuntimeError):
            assert "session is unavailable because no secret key was set" in str(answer)
    answers = [pair.get(f"/do/{name}") for name in ("set", "flash", "permanent, true", "clear")]
    assert all(isinstance(answer, RuntimeError) for answer in answers)


@pytest.mark.skipif(not HAS_FALLBACKS, reason="this Flask has no fallback keys")
def test_fallback_keys_alone_make_no_session(now):
    """Without a current key, fallback keys give a null session."""
    pair = Pair(scripted, SECRET_KEY=None, SECRET_KEY_FALLBACKS=[SECRET], PROPAGATE_EXCEPTIONS=True)
    assert isinstance(pair.get("/do/set"), RuntimeError)


# Configuration


def cookie_settings() -> list[dict[str, Any]]:
    """Return every combination of attributes that is worth a request."""
    combinations = itertools.product(
        [None, "example.com", ".example.com", "example.com:5000"],
        [None, "/", "/app", "/a b;ü"],
        [True, False],
        [True, False],
        [None, "Lax", "strict", "None", "wrong"],
        [True, False] if HAS_PARTITIONED else [None],
    )
    names = ("DOMAIN", "PATH", "HTTPONLY", "SECURE", "SAMESITE", "PARTITIONED")
    return [
        {
            f"SESSION_COOKIE_{name}": setting
            for name, setting in zip(names, combination, strict=True)
            if name != "PARTITIONED" or HAS_PARTITIONED
        }
        for combination in combinations
    ]


def test_cookies_are_set_and_deleted_with_the_attributes_that_flask_gives_them(now):
    """Every combination of ``SESSION_COOKIE_*`` gives the header that Flask writes."""
    pair = Pair(scripted)
    for changes in cookie_settings():
        pair.configure(**changes)
        pair.get("/do/set")
        pair.get("/do/clear")
        pair.get("/do/permanent, true")


@pytest.mark.parametrize(
    "changes",
    [
        {"APPLICATION_ROOT": "/app"},
        {"APPLICATION_ROOT": "/app", "SESSION_COOKIE_PATH": "/other"},
        {"SESSION_COOKIE_NAME": "other"},
        {"SESSION_COOKIE_NAME": "sessión"},
        {"SERVER_NAME": "example.com"},
        {"PERMANENT_SESSION_LIFETIME": 10},
        {"PERMANENT_SESSION_LIFETIME": timedelta(days=400)},
        {"PERMANENT_SESSION_LIFETIME": timedelta(seconds=1.5)},
        {"PERMANENT_SESSION_LIFETIME": 0},
        {"PERMANENT_SESSION_LIFETIME": -1},
        {"SESSION_COOKIE_HTTPONLY": 1, "SESSION_COOKIE_SECURE": 0},
        {"SESSION_COOKIE_SECURE": "yes"},
        {"SECRET_KEY": SECRET.encode()},
        {"SECRET_KEY": "ключ, которого никто не знает"},
    ],
)
def test_other_settings_are_read_as_flask_reads_them(changes, now):
    """Every other setting has the meaning that it has on Flask."""
    pair = Pair(scripted, **changes)
    for path in ("/do/set", "/do/permanent, true", "/do/nothing", "/show", "/do/clear", "/show"):
        now.now += 3
        pair.get(path, base_url="http://example.com/")


@pytest.mark.parametrize(
    "vary",
    [
        ["Accept"],
        ["Accept, Origin"],
        ["Cookie"],
        ["cookie, Accept"],
        ["*"],
        [""],
        ["Accept", "Origin"],
        ["Accept, Accept"],
        [" Accept ,,Origin "],
        ['"quoted"'],
    ],
)
@pytest.mark.parametrize("operation", ["get", "set", "clear"])
def test_existing_vary_headers_are_kept_as_flask_keeps_them(vary, operation, now):
    """``Cookie`` joins whatever the response varied by, in the text that Flask writes."""

    def build(app: flask.Flask) -> None:
        scripted(app)

        @app.after_request
        def varied(response: flask.Response) -> flask.Response:
            for value in vary:
                response.headers.add("Vary", value)
            return response

    pair = Pair(build)
    pair.get("/start/contents")
    pair.get(f"/do/{operation}")


@pytest.mark.skipif(not HAS_FALLBACKS, reason="this Flask has no fallback keys")
def test_rotated_keys_are_accepted_until_they_are_taken_away(now):
    """A fallback key verifies, the current key signs, and both may change while running."""
    pair = Pair(scripted)
    pair.get("/start/contents")
    before = pair.jar()
    pair.configure(SECRET_KEY=OTHER_SECRET, SECRET_KEY_FALLBACKS=["unused " * 4, SECRET])
    assert "'a': 1" in pair.get("/show").text
    assert pair.jar() == before
    pair.get("/do/set")
    pair.configure(SECRET_KEY_FALLBACKS=None)
    assert "'b': 2" in pair.get("/show").text
    pair.configure(SECRET_KEY=SECRET)
    assert pair.get("/show").text == "{}"


@pytest.mark.skipif(not HAS_FALLBACKS, reason="this Flask has no fallback keys")
def test_fallback_keys_changed_in_place_count_at_once(now):
    """A list of fallback keys may be appended to while the application runs."""
    fallbacks: list[str] = []
    pair = Pair(scripted, SECRET_KEY_FALLBACKS=fallbacks)
    pair.get("/start/contents")
    pair.configure(SECRET_KEY=OTHER_SECRET)
    assert pair.get("/show").text == "{}"
    fallbacks.append(SECRET)
    assert "'a': 1" in pair.get("/show").text
    fallbacks.clear()
    assert pair.get("/show").text == "{}"


def test_a_key_changed_while_running_counts_at_once(now):
    """Sessions signed with an old key are empty as soon as the key is another."""
    pair = Pair(scripted)
    pair.get("/start/contents")
    for key in (OTHER_SECRET, SECRET, SECRET.encode(), OTHER_SECRET.encode()):
        pair.configure(SECRET_KEY=key)
        pair.get("/show")
        pair.get("/do/set")


def test_a_header_larger_than_max_cookie_size_is_sent_without_a_warning_where_that_is_0(now):
    """``MAX_COOKIE_SIZE = 0`` asks for no warning, as on Flask."""
    pair = Pair(scripted, MAX_COOKIE_SIZE=0)
    assert "Set-Cookie" in pair.get("/do/set, large").headers
    pair.configure(MAX_COOKIE_SIZE=100_000)
    assert "Set-Cookie" in pair.get("/do/set, large").headers


# JSON providers and tags


class Shouting(DefaultJSONProvider):
    """A provider that has an encoding of its own for a type."""

    @staticmethod
    def default(value: Any) -> Any:
        return "SET" if isinstance(value, set) else DefaultJSONProvider.default(value)


class Reversing(JSONProvider):
    """A provider that has nothing in common with Flask's."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return json.dumps(obj, indent=1, **kwargs)[::-1]

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        return json.loads(s[::-1], **kwargs)


def tweaked(**attributes: Any) -> Callable[[flask.Flask], None]:
    """Return what sets attributes on an application's JSON provider."""

    def tweak(app: flask.Flask) -> None:
        for name, setting in attributes.items():
            setattr(app.json, name, setting)

    return tweak


def provided(provider: type[JSONProvider]) -> Callable[[flask.Flask], None]:
    """Return what gives an application another JSON provider."""

    def provide(app: flask.Flask) -> None:
        app.json = provider(app)

    return provide


def set_default(app: flask.Flask) -> None:
    """Give the provider another function for what JSON lacks, as the docs show."""
    app.json.default = Shouting.default  # type: ignore[attr-defined]


PROVIDERS = {
    "sort_keys": tweaked(sort_keys=False),
    "ensure_ascii": tweaked(ensure_ascii=False),
    "both": tweaked(sort_keys=False, ensure_ascii=False),
    "compact": tweaked(compact=False),
    "truthy": tweaked(sort_keys=1, ensure_ascii=1),
    "default": set_default,
    "subclass": provided(Shouting),
    "other": provided(Reversing),
}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_application_with_its_own_json_provider_gets_it(provider, now):
    """Whatever the application's JSON provider is, sessions are written and read by it."""

    def build(app: flask.Flask) -> None:
        scripted(app)
        PROVIDERS[provider](app)

        @app.route("/odd")
        def odd() -> str:
            session.update(z={"b": 1, "a": "é\x7f"}, a={1, 2}, m=(1, Markup("ü")))
            return ""

    pair = Pair(build)
    for path in ("/start/contents", "/do/set, every type", "/show", "/odd", "/show", "/do/clear"):
        pair.get(path)


def test_a_json_provider_changed_while_running_counts_at_once(now):
    """A session written by one provider is read and written anew by the next."""
    pair = Pair(scripted)
    pair.get("/do/set, every type")
    for app in pair.apps:
        app.json.sort_keys = False  # type: ignore[attr-defined]
    pair.get("/show")
    pair.get("/do/set")
    for app in pair.apps:
        app.json = Shouting(app)
    pair.get("/show")
    pair.get("/do/set")


class TagComplex(JSONTag):
    """A type that Flask's sessions can't keep."""

    __slots__ = ()
    key = " c"

    def check(self, value: Any) -> bool:
        return isinstance(value, complex)

    def to_json(self, value: Any) -> Any:
        return [value.real, value.imag]

    def to_python(self, value: Any) -> Any:
        return complex(*value)


class TagPlainText(JSONTag):
    """A tag that takes what JSON has itself."""

    __slots__ = ()
    key = "text"

    def check(self, value: Any) -> bool:
        return isinstance(value, str)

    def to_json(self, value: Any) -> Any:
        return value[::-1]

    def to_python(self, value: Any) -> Any:
        return value[::-1]


class TagUpperTuple(JSONTag):
    """Another tag under a key that is taken."""

    __slots__ = ()
    key = " t"

    def check(self, value: Any) -> bool:
        return isinstance(value, tuple)

    def to_json(self, value: Any) -> Any:
        return {"items": [self.serializer.tag(item) for item in value]}

    def to_python(self, value: Any) -> Any:
        return tuple(value["items"])


class PassSet(JSONTag):
    """A tag without a key, which only prepares a value."""

    __slots__ = ()

    def check(self, value: Any) -> bool:
        return isinstance(value, set)

    def tag(self, value: Any) -> Any:
        return sorted(value)


REGISTRATIONS: dict[str, list[tuple[type[JSONTag], dict[str, Any]]]] = {
    "last": [(TagComplex, {})],
    "first": [(TagComplex, {"index": 0})],
    "in the middle": [(TagComplex, {"index": 3})],
    "text": [(TagPlainText, {"index": 0})],
    "forced": [(TagUpperTuple, {"force": True, "index": 0})],
    "without a key": [(PassSet, {"index": 0})],
    "several": [(PassSet, {"index": 1}), (TagComplex, {"index": 0}), (TagPlainText, {})],
}


@pytest.mark.parametrize("registration", REGISTRATIONS)
def test_tags_of_an_application_are_written_and_read(registration, now):
    """``TaggedJSONSerializer.register`` takes tags at any index, forced and without a key."""

    def make(base: Any) -> Any:
        interface = base()
        interface.serializer = type(base.serializer)()
        for tag, options in REGISTRATIONS[registration]:
            interface.serializer.register(tag, **options)
        with pytest.raises(KeyError):
            interface.serializer.register(TagUpperTuple)
        return interface

    def build(app: flask.Flask) -> None:
        scripted(app)

        @app.route("/odd")
        def odd() -> str:
            session.update(c=1 + 2j, nested=[{"deep": (1j, "text")}])
            return ""

        @app.route("/set")
        def set_() -> str:
            session.update(s={3, 1, 2})
            return ""

    pair = Pair(build, make=make)
    for path in (
        "/start/contents",
        "/do/set, every type",
        "/show",
        "/odd",
        "/show",
        "/set",
        "/show",
    ):
        now.now += 1
        pair.get(path)


def test_a_tag_registered_while_running_counts_at_once(now):
    """A tag may be registered after the first request."""

    def make(base: Any) -> Any:
        interface = base()
        interface.serializer = type(base.serializer)()
        return interface

    pair = Pair(scripted, make=make)
    pair.get("/start/not permanent")
    for app in pair.apps:
        app.session_interface.serializer.register(TagUpperTuple, force=True, index=0)  # type: ignore[attr-defined]
    pair.get("/do/set")
    pair.get("/do/set, every type")
    pair.get("/show")


# What a subclass may override


class Indenting:
    """A serializer that has only what itsdangerous asks of one."""

    def dumps(self, obj: Any) -> str:
        return json.dumps(obj, indent=2, default=repr)

    def loads(self, data: str) -> Any:
        return json.loads(data)


class OwnSession(dict[str, Any], flask.sessions.SessionMixin):
    """A session that has nothing of Flask's or ours, and is always saved."""

    accessed = True


class CountingSession(dict[str, Any], flask.sessions.SessionMixin):
    """A session with a constructor of its own."""

    modified = False
    accessed = True

    def __init__(self, initial: Any = None) -> None:
        super().__init__(initial or {})
        self.opened_with = len(self)

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        self.modified = True


def with_attributes(**attributes: Any) -> Callable[[Any], Any]:
    """Return what makes a subclass of an interface with other attributes."""
    return lambda base: type("Own", (base,), attributes)()


def session_subclass(base: Any) -> Any:
    """Return an interface whose session is a subclass of its own with its own constructor."""

    class Own(base.session_class):  # type: ignore[misc]
        def __init__(self, initial: Any = None) -> None:
            super().__init__(initial)
            self.opened_with = initial

        @property
        def user(self) -> Any:
            return self.get("a")

    return type("Interface", (base,), {"session_class": Own})()


def session_that_looks_at_itself(base: Any) -> Any:
    """Return an interface whose session looks at its contents in its constructor."""

    class Own(base.session_class):  # type: ignore[misc]
        def __init__(self, initial: Any = None) -> None:
            super().__init__(initial)
            self.opened_with = sorted(self)

    return type("Interface", (base,), {"session_class": Own})()


def session_subclass_without_constructor(base: Any) -> Any:
    """Return an interface whose session is a subclass with a method and an attribute."""

    class Own(base.session_class):  # type: ignore[misc]
        new = True

        def __setitem__(self, key: str, value: Any) -> None:
            super().__setitem__(key.lower(), value)

    return type("Interface", (base,), {"session_class": Own})()


def own_signing_serializer(base: Any) -> Any:
    """Return an interface that signs in another way."""

    class Own(base):  # type: ignore[misc]
        def get_signing_serializer(self, app: flask.Flask) -> Any:
            made = super().get_signing_serializer(app)
            if made is not None:
                made.salt = b"another salt"
            return made

    return Own()


def no_signing_serializer(base: Any) -> Any:
    """Return an interface that has no sessions for some."""

    class Own(base):  # type: ignore[misc]
        def get_signing_serializer(self, app: flask.Flask) -> Any:
            if "anonymous" in flask.request.args:
                return None
            return super().get_signing_serializer(app)

    return Own()


def wrapped(base: Any) -> Any:
    """Return an interface that does something around opening and saving."""

    class Own(base):  # type: ignore[misc]
        def open_session(self, app: flask.Flask, request: flask.Request) -> Any:
            opened = super().open_session(app, request)
            if opened is not None and request.path == "/show":
                opened["opened"] = True
            return opened

        def save_session(self, app: flask.Flask, session: Any, response: flask.Response) -> None:
            session["saved"] = True
            super().save_session(app, session, response)

    return Own()


def null_for_some(base: Any) -> Any:
    """Return an interface that opens nothing for some requests."""

    class Own(base):  # type: ignore[misc]
        def open_session(self, app: flask.Flask, request: flask.Request) -> Any:
            return None if "contents" in request.path else super().open_session(app, request)

    return Own()


def matching_while_opening(base: Any) -> Any:
    """Return an interface that looks at the URL while opening, as Flask's tests do."""

    class Own(base):  # type: ignore[misc]
        def get_cookie_name(self, app: flask.Flask) -> str:
            if flask.request.url_rule is None:
                flask.globals.request_ctx.match_request()
            return "show" if flask.request.endpoint == "show" else "session"

    return Own()


def method(name: str, function: Callable[..., Any]) -> Callable[[Any], Any]:
    """Return what makes a subclass of an interface that overrides one method."""
    return with_attributes(**{name: function})


OVERRIDES: dict[str, Callable[[Any], Any]] = {
    "salt": with_attributes(salt="other salt"),
    "salt, bytes": with_attributes(salt=b"other salt"),
    "digest": with_attributes(digest_method=hashlib.sha256),
    "digest, static": with_attributes(digest_method=staticmethod(hashlib.sha512)),
    "digest, lambda": with_attributes(
        digest_method=staticmethod(lambda data=b"": hashlib.sha384(data))
    ),
    "derivation, concat": with_attributes(key_derivation="concat"),
    "derivation, django": with_attributes(key_derivation="django-concat"),
    "derivation, none": with_attributes(key_derivation="none"),
    "derivation, concat, sha512": with_attributes(
        key_derivation="concat", digest_method=staticmethod(hashlib.sha512)
    ),
    "serializer, json": with_attributes(serializer=json),
    "serializer, instance": with_attributes(serializer=Indenting()),
    "session": session_subclass,
    "session, looking at itself while it is made": session_that_looks_at_itself,
    "session, plain": session_subclass_without_constructor,
    "session, own": with_attributes(session_class=OwnSession),
    "session, own constructor": with_attributes(session_class=CountingSession),
    "session, function": with_attributes(
        session_class=staticmethod(lambda contents=(): OwnSession(contents))
    ),
    "signing": own_signing_serializer,
    "no signing": no_signing_serializer,
    "wrapped": wrapped,
    "null for some": null_for_some,
    "matching": matching_while_opening,
    "name": method("get_cookie_name", lambda _self, _app: "other"),
    "name, by request": method(
        "get_cookie_name", lambda _self, _app: "api" if "show" in flask.request.path else "session"
    ),
    "domain": method("get_cookie_domain", lambda _self, _app: ".example.com"),
    "domain, empty": method("get_cookie_domain", lambda _self, _app: ""),
    "path": method("get_cookie_path", lambda _self, _app: "/elsewhere"),
    "path, none": method("get_cookie_path", lambda _self, _app: None),
    "path, by request": method("get_cookie_path", lambda _self, _app: flask.request.path),
    "httponly": method("get_cookie_httponly", lambda _self, _app: False),
    "secure": method("get_cookie_secure", lambda _self, _app: flask.request.is_secure),
    "samesite": method("get_cookie_samesite", lambda _self, _app: "strict"),
    "expires, text": method("get_expiration_time", lambda *_: "Thu, 01 Jan 2037 00:00:00 GMT"),
    "expires, number": method("get_expiration_time", lambda *_: 2_000_000_000),
    "expires, naive": method("get_expiration_time", lambda *_: datetime(2037, 1, 1)),  # noqa: DTZ001
    "expires, always": method(
        "get_expiration_time", lambda *_: datetime(2037, 1, 1, 0, 0, 0, 5, tzinfo=UTC)
    ),
    "should, always": method("should_set_cookie", lambda *_: True),
    "should, never": method("should_set_cookie", lambda *_: False),
    "should, sometimes": method(
        "should_set_cookie", lambda _self, _app, session: session.get("a") == 1
    ),
    "should, by request": method(
        "should_set_cookie", lambda *_: flask.request.path.endswith("set")
    ),
    "null": method("is_null_session", lambda *_: "show" in flask.request.path),
}
if HAS_PARTITIONED:
    OVERRIDES["partitioned"] = method("get_cookie_partitioned", lambda _self, _app: True)


@pytest.mark.parametrize("override", OVERRIDES)
def test_whatever_a_subclass_overrides_is_used(override, now):
    """A subclass may override any attribute and method of Flask's interface."""
    pair = Pair(scripted, make=OVERRIDES[override])
    assert pair.get("/show?anonymous").status_code == 200
    for path in (
        "/start/contents",
        "/show",
        "/do/nothing",
        "/do/get",
        "/do/permanent, true",
        "/do/nothing",
        "/do/set, every type",
        "/do/nested, modified true",
        "/do/set, modified false",
        "/do/set, unstorable",
        "/show",
        "/show?anonymous",
        "/missing",
        "/do/pop, default",
        "/do/clear",
        "/show",
        "/do/clear",
        "/do/set, abort",
        "/do/set, raise",
    ):
        now.now += 7
        pair.get(path, base_url="https://sub.example.com/")
    # The client may not send a cookie back: say it by hand.
    for cookie in (pair.jar() or "", "rubbish"):
        for path in ("/show", "/do/nothing", "/do/set"):
            pair.get(path, cookies=f"other={cookie}; session={cookie}; api={cookie}")


def test_an_attribute_set_on_an_instance_while_running_counts_at_once(now):
    """Overriding works on an instance as well as on a class, at any time."""
    pair = Pair(scripted)
    pair.get("/start/not permanent")
    for name, setting in {
        "salt": "other",
        "digest_method": hashlib.sha256,
        "key_derivation": "concat",
        "serializer": json,
    }.items():
        for app in pair.apps:
            setattr(app.session_interface, name, setting)
        pair.get("/show")
        pair.get("/start/not permanent")
        pair.get("/show")


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("get_cookie_path", lambda _app: "/x"),
        ("get_cookie_name", lambda _app: "other"),
        ("get_expiration_time", lambda _app, _session: START + 100),
        ("should_set_cookie", lambda _app, _session: True),
        ("get_signing_serializer", lambda _app: None),
        ("is_null_session", lambda _session: True),
        ("open_session", lambda _app, _request: None),
        ("save_session", lambda _app, _session, _response: None),
        ("session_class", OwnSession),
    ],
)
def test_a_method_set_on_an_instance_while_running_counts_at_once(name, function, now):
    """A function assigned to an interface replaces its method from the next request on."""
    pair = Pair(scripted)
    pair.get("/start/contents")
    pair.get("/show")
    for app in pair.apps:
        setattr(app.session_interface, name, function)
    for path in ("/show", "/do/nothing", "/do/set", "/do/permanent, true", "/do/get", "/show"):
        now.now += 1
        pair.get(path)


def test_one_interface_may_serve_several_applications(now):
    """An interface is not bound to an application: each has its own keys and settings."""
    first = Pair(scripted)
    second = Pair(scripted, SECRET_KEY=OTHER_SECRET, SESSION_COOKIE_SAMESITE="Lax")
    for one, other in zip(first.apps, second.apps, strict=True):
        other.session_interface = one.session_interface
    for pair in (first, second, first, second):
        pair.get("/start/contents")
        assert "'a': 1" in pair.get("/show").text
    assert first.get("/show", cookies=f"session={first.jar()}").text != "{}"
    assert second.get("/show", cookies=f"session={first.jar()}").text == "{}"


# Application, request and response classes


class Tenants(flask.Flask):
    """An application whose key and lifetime depend on the request."""

    @property
    def secret_key(self) -> Any:
        return self.config["SECRET_KEY"] + flask.request.args.get("tenant", "")

    @property
    def permanent_session_lifetime(self) -> timedelta:
        return timedelta(seconds=30 if "short" in flask.request.args else 3000)


def test_an_application_class_with_attributes_of_its_own_is_asked(now):
    """A subclass of Flask may compute its key and its lifetime anew for every request."""
    pair = Pair(scripted, app_class=Tenants)
    pair.get("/start/permanent?tenant=a")
    for path in ("/show", "/show?tenant=b", "/show?tenant=a", "/show?tenant=a&short"):
        now.now += 11
        pair.get(path)
    pair.get("/start/permanent?tenant=b&short")
    assert "'a': 1" in pair.get("/show?tenant=b").text
    now.now += 31
    assert pair.get("/show?tenant=b&short").text == "{}"
    assert "'a': 1" in pair.get("/show?tenant=b").text


class OwnRequest(flask.Request):
    """A request that has cookies of its own."""

    @cached_property
    def cookies(self) -> Any:
        return {"session": self.headers.get("X-Session", "")}


class UpperResponse(flask.Response):
    """A response that writes cookies in its own way."""

    def set_cookie(self, key: str, value: str = "", *args: Any, **kwargs: Any) -> None:
        super().set_cookie(key.upper(), value, *args, **kwargs)
        self.headers["X-Set"] = repr(sorted(kwargs.keys() - {"partitioned"}))


class DeletingResponse(flask.Response):
    """A response that deletes cookies in its own way."""

    def delete_cookie(self, key: str, *args: Any, **kwargs: Any) -> None:
        super().delete_cookie(key, *args, **kwargs)
        self.headers["X-Deleted"] = key


@pytest.mark.parametrize(
    "classes", [(OwnRequest, None), (None, UpperResponse), (None, DeletingResponse)]
)
def test_request_and_response_classes_are_asked(classes, now):
    """An application's own request class is asked for cookies and its response class sets them."""

    def build(app: flask.Flask) -> None:
        scripted(app)
        app.request_class = classes[0] or flask.Request
        app.response_class = classes[1] or flask.Response

    pair = Pair(build)
    for path in ("/start/contents", "/do/permanent, true", "/show", "/do/clear", "/show"):
        answer = pair.get(path)
        found = answer.headers.get("Set-Cookie", "").partition("=")[2].partition(";")[0]
        pair.get("/show", headers={"X-Session": found})


def test_a_response_that_is_not_flasks_own_gets_the_same_cookie(now):
    """A view may return a response of Werkzeug's, or one with its own ``max_cookie_size``."""

    class Unlimited(flask.Response):
        max_cookie_size = 0

    def build(app: flask.Flask) -> None:
        app.response_class = Unlimited
        scripted(app)

    pair = Pair(build)
    assert "Set-Cookie" in pair.get("/do/set, large").headers


# The test client


def test_the_test_client_sees_sessions_as_on_flask(now):
    """``session_transaction`` reads and writes, and ``with client`` keeps the session readable."""
    pair = Pair(surrounded)
    seen = []
    for client in pair.clients:
        with client.session_transaction() as kept:
            kept["a"] = (1, {"b": b"2"})
            kept.permanent = True
        with client.session_transaction() as kept:
            first = visible(kept)
        with client:
            client.get("/redirect", follow_redirects=True)
            second = visible(session)
        client.get("/do/clear")
        with client.session_transaction() as kept:
            third = visible(kept)
        seen.append((first, second, third))
    assert seen[0] == seen[1]
    assert pair.get("/show").text == "{}"


def test_a_transaction_needs_a_session_and_cookies(now):
    """Without a secret key a transaction raises RuntimeError, without cookies TypeError."""
    pair = Pair(scripted, SECRET_KEY=None)
    for app in pair.apps:
        with (
            pytest.raises(RuntimeError, match="Session backend did not open a session"),
            app.test_client().session_transaction(),
        ):
            pass
        with (
            pytest.raises(TypeError, match="Cookies are disabled"),
            app.test_client(use_cookies=False).session_transaction(),
        ):
            pass


# The age of a cookie


@pytest.mark.parametrize("permanent", ["/start/contents", "/start/permanent"])
@pytest.mark.parametrize("lifetime", [0, 1, 60, 31 * 86400])
def test_the_lifetime_bounds_the_age_of_every_cookie(permanent, lifetime, now):
    """A cookie is good up to its lifetime, to the second, and never when stamped in the future."""
    pair = Pair(scripted, PERMANENT_SESSION_LIFETIME=lifetime, SESSION_REFRESH_EACH_REQUEST=False)
    pair.get(permanent)
    for age in (-2, -1, -0.5, 0, 0.9, 1, 1.1, lifetime, lifetime + 0.9, lifetime + 1, lifetime * 2):
        now.now = START + age
        pair.get("/show")
        pair.get("/do/get")
