"""Where Holdfast differs from Flask's sessions on purpose: both sides of each difference."""

from __future__ import annotations

import json
import logging
import warnings
from typing import Any

import flask
import flask.sessions
import pytest
from crossing import carriers
from flask import session
from itsdangerous import URLSafeTimedSerializer
from pairs import SECRET, START, clock, make_app, visible

import holdfast
import holdfast.flask as ours
from holdfast import OnLargeCookie, Policy


@pytest.fixture
def now():
    with clock() as hands:
        yield hands


def views(app: flask.Flask) -> None:
    """Add the views of these tests."""

    @app.route("/show")
    def show() -> str:
        return visible(session)

    @app.route("/start", methods=["GET", "POST"])
    def start() -> str:
        session.update({"cart": {"items": [1]}, "plain": 1})
        return ""

    @app.route("/append")
    def append() -> str:
        session["cart"]["items"].append(2)
        return ""

    @app.route("/large")
    def large() -> str:
        session.update(noise="".join(map(str, range(2500))), small=1)
        return ""


def show(client: Any, cookies: str, path: str = "/show") -> Any:
    """Return the answer to a request with a Cookie header of the test's own."""
    bare = client.application.test_client(use_cookies=False)
    return bare.get(path, environ_overrides={"HTTP_COOKIE": cookies})


def flasks(**config: Any) -> Any:
    """Return a client of an application on Flask's sessions."""
    return make_app(flask.sessions.SecureCookieSessionInterface(), views, **config).test_client()


def mine(policy: Policy | None = None, **config: Any) -> Any:
    """Return a client of an application on ours."""
    return make_app(ours.SecureCookieSessionInterface(policy), views, **config).test_client()


# Changes inside nested values


def test_a_change_inside_a_nested_value_is_saved(now):
    """``session["cart"]["items"].append(x)`` is saved; Flask loses it."""
    theirs, client = flasks(), mine()
    for each in (theirs, client):
        each.get("/start")
        each.get("/append")
    assert "[1]" in theirs.get("/show").text
    assert "[1, 2]" in client.get("/show").text


# Cookies that can't be decoded


def signed(payload: str | bytes) -> str:
    """Return a cookie with a good signature over anything."""

    class Verbatim:
        @staticmethod
        def dumps(contents: Any) -> Any:
            return contents

        loads = dumps

    serializer = URLSafeTimedSerializer(
        SECRET,
        salt="cookie-session",
        serializer=Verbatim,
        signer_kwargs={"key_derivation": "hmac"},
    )
    made = serializer.dumps(payload)
    return made.decode() if isinstance(made, bytes) else made


UNDECODABLE = {
    "no JSON": "not JSON",
    "a list": "[1, 2]",
    "a number": "7",
    "a bad tag": '{"a": {" u": "no uuid"}}',
    "no UTF-8": b'{"a": "\xff"}',
    "deep": "[" * 100_000,
}


@pytest.mark.parametrize("what", UNDECODABLE)
def test_a_signed_cookie_that_cannot_be_decoded_is_an_empty_session(what, now, caplog):
    """A good signature over rubbish gives an empty session and a line in the log, not a 500."""
    cookies = f"session={signed(UNDECODABLE[what])}"
    assert show(flasks(), cookies).status_code == 500
    with caplog.at_level(logging.WARNING, "holdfast"):
        answer = show(mine(), cookies)
    assert (answer.status_code, answer.text) == (200, "{}")
    assert "Set-Cookie" not in answer.headers
    assert [record.levelname for record in caplog.records if record.name == "holdfast"] == [
        "WARNING"
    ]


def test_the_log_does_not_repeat_what_the_cookie_held(now, caplog):
    """What could not be decoded may be secret: the log names the kind of error alone."""
    cookie = signed('{"password": "hunter2"')
    cookies = f"session={cookie}"
    show(mine(), cookies)
    assert "hunter2" not in caplog.text


def test_a_payload_that_expands_beyond_a_bound_is_an_empty_session(now):
    """A compressed payload is decompressed up to ``max_bytes``, 1 MiB if nothing else is said."""
    contents = json.dumps({"a": "x" * 2_000_000})
    cookies = f"session={signed(contents)}"
    assert show(flasks(), cookies).data.startswith(b"{'a'")
    assert show(mine(), cookies).text == "{}"
    generous = mine(Policy(max_bytes=3_000_000))
    assert show(generous, cookies).data.startswith(b"{'a'")


def test_a_cookie_header_that_is_no_utf8_does_no_harm(now):
    """A Cookie header with bytes that are no UTF-8 is read as far as it goes."""
    client = mine()
    client.get("/start")
    good = client.get_cookie("session").value
    for header in (f"other=\xff; session={good}", f"session={good}; \xff=1"):
        answer = show(client, header)
        assert (answer.status_code, "'plain': 1" in answer.text) == (200, True)


# Null sessions


def test_an_update_in_place_of_a_null_session_is_refused(now):
    """``session |= {...}`` without a secret key raises, as every other write does."""
    flask.sessions.NullSession().__ior__({"a": 1})
    null = ours.NullSession()
    with pytest.raises(RuntimeError, match="session is unavailable because no secret key was set"):
        null |= {"a": 1}
    assert dict(null) == {}


def test_the_error_of_a_null_session_says_what_to_do(now):
    """The error is Holdfast's own, and a RuntimeError, and names the remedy."""
    app = make_app(ours.SecureCookieSessionInterface(), views, SECRET_KEY=None)
    app.config["PROPAGATE_EXCEPTIONS"] = True
    with pytest.raises(holdfast.SessionUnavailable, match="Set SECRET_KEY to a long random value"):
        app.test_client().get("/start")


# Secret keys


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("dev", "has only 3 bytes"),
        (b"short", "has only 5 bytes"),
        ("x" * 40, "repeats fewer than 6 different bytes"),
        ("192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf", "published example"),
        (b'_5#y2L"F4Q8z\n\xec]/', "published example"),
    ],
)
def test_a_weak_secret_key_gives_a_warning_once(secret, why, now):
    """A short or well-known key is warned of at the first request, and not again."""
    client = mine(SECRET_KEY=secret)
    with pytest.warns(holdfast.WeakSecretKey, match=why):
        client.get("/start")
    assert "'plain': 1" in client.get("/show").text


def test_a_weak_secret_key_is_no_matter_in_tests(now):
    """An application whose ``TESTING`` is set may have any key."""
    assert mine(SECRET_KEY="dev", TESTING=True).get("/start").status_code == 200


def test_a_good_secret_key_gives_no_warning(now):
    """A random key of any usual length and form is not warned of."""
    for secret in (SECRET, SECRET.encode(), "0f" * 4 + "2a9c71de", bytes(range(16))):
        assert mine(SECRET_KEY=secret).get("/start").status_code == 200


def test_a_single_fallback_key_in_place_of_a_list_is_refused(now):
    """Taken as a list of characters each would be a key, so text as fallbacks is an error."""
    app = make_app(ours.SecureCookieSessionInterface(), views)
    app.config.update(SECRET_KEY_FALLBACKS="an older key", PROPAGATE_EXCEPTIONS=True)
    with pytest.raises(holdfast.ConfigurationError, match="must be a list of keys"):
        app.test_client().get("/start")


# Large cookies


def test_a_large_cookie_gives_a_warning_that_names_its_size_and_largest_keys(now):
    """The warning is a ``LargeCookie``, where Flask gives a plain UserWarning; it is sent."""
    with pytest.warns(UserWarning, match="The 'session' cookie is too large"):
        theirs = flasks().get("/large")
    with pytest.warns(holdfast.LargeCookie) as caught:
        answer = mine().get("/large")
    assert answer.headers["Set-Cookie"] == theirs.headers["Set-Cookie"]
    (warning,) = caught
    text = str(warning.message)
    assert text.startswith("The 'session' cookie is too large: ")
    assert f"{len(answer.headers['Set-Cookie'])} bytes" in text
    assert "'noise' (" in text
    assert text.index("'noise' (") < text.index("'small' (")


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_the_limit_of_the_warning_is_that_of_flask(extra, now):
    """The warning comes where Flask's comes: above ``MAX_COOKIE_SIZE``, not at it."""

    def warned(client: Any) -> bool:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            client.get("/start")
        return bool(caught)

    length = len(mine().get("/start").headers["Set-Cookie"])
    limit = length + extra
    assert warned(mine(MAX_COOKIE_SIZE=limit)) == warned(flasks(MAX_COOKIE_SIZE=limit))
    assert warned(mine(MAX_COOKIE_SIZE=limit)) == (extra < 0)


def test_a_policy_may_refuse_large_cookies(now):
    """With ``OnLargeCookie.REFUSE`` nothing is sent; an error names size, limit, largest keys."""
    app = make_app(
        ours.SecureCookieSessionInterface(Policy(on_large_cookie=OnLargeCookie.REFUSE)), views
    )
    answer = app.test_client().get("/large")
    assert answer.status_code == 500
    assert "Set-Cookie" not in answer.headers
    app.config["PROPAGATE_EXCEPTIONS"] = True
    with pytest.raises(holdfast.CookieTooLarge, match="'noise'") as caught:
        app.test_client().get("/large")
    assert (caught.value.name, caught.value.limit) == ("session", 4096)
    assert caught.value.size > 4096
    assert [key for key, _ in caught.value.largest] == ["noise", "small"]


# Values that can't be stored


@pytest.mark.parametrize(
    ("contents", "path"),
    [
        ({"cart": {"items": [1, 2, {"price": object()}]}}, r"cart\.items\[2\]\.price"),
        ({"a b": {1, 2}}, r"\['a b'\]"),
        ({"t": (1, object())}, r"t\[1\]"),
        ({"n": {"a": {"mixed": 1, 2: 3}}}, r"n\.a"),
        ({"big": 10**5000}, "big"),
    ],
)
def test_a_value_that_cannot_be_stored_is_named_by_its_path(contents, path, now):
    """The error says where in the session the value is; Flask's says only its type."""
    with carriers() as (theirs, carrier):
        with pytest.raises((TypeError, ValueError)):
            theirs.write(contents)
        with pytest.raises(holdfast.UnstorableValue, match=f"at {path} can't be stored"):
            carrier.write(contents)


def test_a_value_that_contains_itself_is_named(now):
    """A list within itself is an error that says so, where Flask exhausts the stack."""
    loop: list[Any] = []
    loop.append(loop)
    with (
        carriers() as (_, carrier),
        pytest.raises(holdfast.UnstorableValue, match="it contains itself"),
    ):
        carrier.write({"loop": {"inner": loop}})


# Refreshing


def test_an_untouched_permanent_session_is_signed_anew_and_not_written_anew(now):
    """Refreshing keeps the payload that arrived, byte for byte, and stamps it with the time."""
    payload = '{"z": 1, "_permanent": true, "a": [1, {" t": [2]}]}'
    cookies = f"session={signed(payload)}"
    now.now += 500
    old = signed(payload).rpartition(".")[0].rpartition(".")[0]
    for app, same in ((mine(), True), (flasks(), False)):
        found = show(app, cookies, "/missing").headers["Set-Cookie"]
        value = found.partition("=")[2].partition(";")[0]
        assert (value.rpartition(".")[0].rpartition(".")[0] == old) is same
        # Either way it is good from now on.
        now.now = START + 500
        answer = show(mine(), f"session={value}")
        assert "'z': 1" in answer.text


# Serializers


def test_a_serializer_that_makes_bytes_works(now):
    """A session may be written by a serializer that makes bytes; Flask fails to set its cookie."""

    class Bytes:
        @staticmethod
        def dumps(contents: Any) -> bytes:
            return json.dumps(contents).encode("utf-16")

        @staticmethod
        def loads(data: bytes) -> Any:
            return json.loads(data.decode("utf-16"))

    client = mine()
    client.application.session_interface.serializer = Bytes()
    client.get("/start")
    assert "'plain': 1" in client.get("/show").text


# Looks


def test_an_update_in_place_is_kept_on_every_flask(now):
    """``session |= {...}`` modifies, also where the running Werkzeug loses it."""
    held = ours.SecureCookieSession()
    held |= {"a": 1}
    assert held.modified
    assert held == {"a": 1}


def test_every_look_counts_as_one_on_every_flask(now):
    """Before 3.1.3 Flask took ``in``, ``len`` and ``bool`` for no access."""
    for look in (len, bool, list, repr, lambda held: "a" in held, lambda held: held == {}):
        held = ours.SecureCookieSession({"a": 1})
        assert not held.accessed
        look(held)
        assert held.accessed
