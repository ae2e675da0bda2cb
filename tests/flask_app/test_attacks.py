"""What once broke a promise, each kept from doing so again."""

from __future__ import annotations

import json
import pickle
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import flask
import flask.sessions
import pytest
from flask import session
from pairs import SECRET

import holdfast
from holdfast.flask import Holdfast, SecureCookieSession, SecureCookieSessionInterface


def make_app(interface: Any = None) -> flask.Flask:
    """Return an application that shows and changes its session."""
    app = flask.Flask(__name__)
    app.config.update(SECRET_KEY=SECRET, TESTING=True)
    app.session_interface = interface or SecureCookieSessionInterface()

    @app.get("/show")
    def show() -> Any:
        return dict(session)

    @app.get("/untouched")
    def untouched() -> str:
        return "untouched"

    return app


def sign(data: bytes) -> str:
    """Return a cookie with a good signature over any data."""
    app = make_app()
    codec: Any = app.session_interface._codec(app)
    codec.encode = lambda _contents: data
    return codec.dump({})


def test_threads_of_one_request_may_look_first_at_the_same_time():
    """Threads that share a request lose no write and read nothing wrong."""
    app = make_app()
    count = 6
    together = threading.Barrier(count)

    @app.get("/start")
    def start() -> str:
        session.update(user="a", many={str(n): [n] for n in range(40)})
        return ""

    @app.get("/work")
    def work() -> Any:
        def job(number: int) -> bool:
            together.wait()
            good = session.get("user") == "a" and "user" in session
            session[f"job {number}"] = True
            return good

        with ThreadPoolExecutor(count) as pool:
            copies = [flask.copy_current_request_context(job) for _ in range(count)]
            good = list(pool.map(lambda job, n: job(n), copies, range(count)))
        return {"good": all(good), "kept": sum(key.startswith("job") for key in session)}

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(40):
            client = app.test_client()
            client.get("/start")
            assert client.get("/work").json == {"good": True, "kept": count}
    finally:
        sys.setswitchinterval(interval)


def test_a_first_look_deep_in_the_stack_loses_nothing():
    """A session first looked at where the stack is almost full is not taken for a broken one."""
    app = make_app()

    @app.get("/start")
    def start() -> str:
        session.update(user="a", cart=[{"items": [{"of": [("a", [[1]])]}]}])
        return ""

    @app.get("/deep/<int:depth>")
    def deep(depth: int) -> str:
        def dive(left: int) -> Any:
            return dive(left - 1) if left else session.get("user")

        try:
            seen = dive(depth)
        except RecursionError:
            seen = "RecursionError"
        session["after"] = True
        return str(seen)

    limit = sys.getrecursionlimit()
    for depth in range(limit - 250, limit, 3):
        client = app.test_client()
        client.get("/start")
        app.session_interface = SecureCookieSessionInterface()  # as another process has it
        assert client.get(f"/deep/{depth}").text in {"a", "RecursionError"}
        assert client.get("/show").json["user"] == "a"


def test_a_session_class_that_seals_its_values_keeps_them_sealed():
    """What a class overrides between the application and the dict is not seen in the cookie."""

    class Sealed(SecureCookieSession):
        def __setitem__(self, key: str, value: Any) -> None:
            super().__setitem__(key, f"sealed {value}")

        def __getitem__(self, key: str) -> Any:
            return super().__getitem__(key).removeprefix("sealed ")

    class Interface(SecureCookieSessionInterface):
        session_class = Sealed

    app = make_app(Interface())

    @app.get("/start")
    def start() -> str:
        session["pin"] = "1234"
        return ""

    client = app.test_client()
    for _ in range(2):
        client.get("/start")
        with app.app_context():
            theirs = flask.sessions.SecureCookieSessionInterface().get_signing_serializer(app)
            assert theirs is not None
            assert theirs.loads(client.get_cookie("session").value) == {"pin": "sealed 1234"}  # type: ignore[union-attr]
        assert client.get("/show").json == {"pin": "1234"}


@pytest.mark.parametrize("name", ["permanent", "modified"])
@pytest.mark.parametrize("how", [True, property(lambda _self: True, lambda _self, _value: None)])
def test_flags_that_a_session_class_overrides_count_untouched(name, how):
    """A class that is always permanent or modified has its cookie set by every response."""

    class Interface(SecureCookieSessionInterface):
        session_class = type("Always", (SecureCookieSession,), {name: how})

    app = make_app(Interface())
    client = app.test_client()
    client.set_cookie("session", sign(b'{"a":1}'))
    assert "Set-Cookie" in client.get("/untouched").headers


class Reversing:
    """A serializer whose output shows nothing of what is in it, and is never twice the same."""

    count = 0

    def dumps(self, value: Any) -> bytes:
        Reversing.count += 1
        return f"{json.dumps(value)}#{Reversing.count}".encode()[::-1]

    def loads(self, data: bytes) -> Any:
        return json.loads(data[::-1].decode().partition("#")[0])


def test_a_permanent_session_is_refreshed_whatever_its_serializer_writes():
    """A serializer of the application's own may hide what is in a cookie; it is refreshed still."""
    interface = SecureCookieSessionInterface()
    interface.serializer = Reversing()
    app = make_app(interface)
    client = app.test_client()
    with client.session_transaction() as held:
        held.permanent = True
        held["list"] = [1]
    assert "Set-Cookie" in client.get("/untouched").headers


def test_reading_is_no_change_whatever_the_serializer_writes():
    """A serializer may write the same contents differently each time; reading sets no cookie."""
    interface = SecureCookieSessionInterface()
    interface.serializer = Reversing()
    app = make_app(interface)
    client = app.test_client()
    with client.session_transaction() as held:
        held["list"] = [1]
    for _ in range(3):
        answer = client.get("/show")
        assert answer.json == {"list": [1]}
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("data", [b"null", b'[[1,[]],["b",1]]', b'[[{" t":[1]},[]]]'])
def test_odd_contents_under_a_good_signature_can_be_read(data):
    """What decodes to no dict, or to keys that are no text, can be looked at all the same."""
    app = make_app()

    @app.get("/look")
    def look() -> str:
        return f"{len(list(session.values()))} {session.modified}"

    client = app.test_client()
    client.set_cookie("session", sign(data))
    for _ in range(3):
        assert client.get("/look").status_code == 200


def test_tokens_stuffed_with_characters_that_base64_passes_over_are_not_remembered():
    """A good cookie made long by stray characters is read, and fills no memory."""
    app = make_app()
    codec: Any = app.session_interface._codec(app)
    token = sign(b'{"a":1}')
    codec = app.session_interface._codec(app)
    stuffed = token + "*" * 100_000
    assert codec.load(stuffed)[0] == {"a": 1}
    assert stuffed not in codec._recent


def test_contents_over_the_bound_are_refused_when_written():
    """What could not be read back is an error when it is written, and names the largest keys."""
    app = make_app(SecureCookieSessionInterface(holdfast.Policy(max_bytes=100)))
    client = app.test_client()
    with (
        pytest.raises(holdfast.SessionTooLarge, match="'big'") as raised,
        client.session_transaction() as held,
    ):
        held.update(small=1, big="x" * 200)
    assert (raised.value.limit, raised.value.largest[0][0]) == (100, "big")


def test_an_interface_of_the_applications_own_is_not_replaced_silently():
    """``Holdfast(app)`` refuses to replace an interface that may sign in another way."""
    app = make_app(type("Mine", (SecureCookieSessionInterface,), {"salt": "mine"})())
    with pytest.raises(holdfast.ConfigurationError, match="Mine"):
        Holdfast(app)


def test_what_was_set_on_flasks_interface_is_taken_over():
    """Attributes that an application set on its interface go on holding: nobody is logged out."""
    app = flask.Flask(__name__)
    app.config.update(SECRET_KEY=SECRET, TESTING=True)
    app.session_interface = flask.sessions.SecureCookieSessionInterface()
    app.session_interface.salt = "mine"
    Holdfast(app)
    assert app.session_interface.salt == "mine"  # type: ignore[attr-defined]


def test_tags_registered_with_flask_are_taken_over(monkeypatch):
    """Types that an application registered with Flask's serializer can be stored still."""
    theirs = flask.sessions.TaggedJSONSerializer()
    monkeypatch.setattr(flask.sessions, "session_json_serializer", theirs)

    class TagSet(flask.json.tag.JSONTag):
        key = " s"

        def check(self, value: Any) -> bool:
            return isinstance(value, set)

        def to_json(self, value: Any) -> Any:
            return sorted(value)

        def to_python(self, value: Any) -> Any:
            return set(value)

    theirs.register(TagSet)
    app = flask.Flask(__name__)
    app.config.update(SECRET_KEY=SECRET, TESTING=True)
    app.session_interface = flask.sessions.SecureCookieSessionInterface()
    app.session_interface.serializer = theirs
    Holdfast(app)
    client = app.test_client()
    with client.session_transaction() as held:
        held["set"] = {1, 2}
    with client.session_transaction() as held:
        assert held["set"] == {1, 2}


@pytest.mark.parametrize(
    "error",
    [
        holdfast.UnstorableValue("a[1]", "it is a set"),
        holdfast.SessionTooLarge(2, 1, (("a", 2),)),
        holdfast.CookieTooLarge("session", 2, 1, (("a", 2),)),
    ],
)
def test_errors_can_be_pickled(error):
    """Errors cross processes, as test runners and task queues have them do."""
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


def test_an_error_names_no_value():
    """``UnstorableValue`` names keys and types alone, whatever a provider says in its error."""

    class Card:
        def __repr__(self) -> str:
            return "4111-1111"

    app = make_app()
    app.json.default = lambda value: (_ for _ in ()).throw(TypeError(repr(value)))  # type: ignore[attr-defined]
    with (
        pytest.raises(holdfast.UnstorableValue) as raised,
        app.test_client().session_transaction() as held,
    ):
        held["card"] = {"n": Card()}
    assert "4111" not in str(raised.value)
    assert raised.value.path == "card.n"


def test_two_unopened_sessions_compare_by_their_contents():
    """``==`` opens both sides."""
    app = make_app()
    codec: Any = app.session_interface._codec(app)
    one = SecureCookieSession.unopened(codec, sign(b'{"a":1}'))
    other = SecureCookieSession.unopened(codec, sign(b'{"a":1}'))
    assert one == other
    assert not SecureCookieSession.unopened(codec, sign(b'{"a":2}')) == one  # noqa: SIM201
