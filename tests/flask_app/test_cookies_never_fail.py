"""No cookie value at all makes a request fail: it makes an empty session."""

from __future__ import annotations

import functools
import json
import tracemalloc
import zlib
from typing import Any

import flask
import flask.sessions
import pytest
from crossing import EVERYTHING
from flask import session
from hypothesis import given, strategies as st
from itsdangerous import Signer
from itsdangerous.encoding import base64_encode
from pairs import SECRET, START, clock, examples, make_app, visible

import holdfast.flask as ours


def views(app: flask.Flask) -> None:
    """Add a view that reads the session and one that doesn't."""

    @app.route("/read")
    def read() -> str:
        return visible(session)

    @app.route("/untouched")
    def untouched() -> str:
        return "untouched"

    @app.route("/write")
    def write() -> str:
        session["written"] = 1
        return ""


def with_own_serializer(base: Any) -> Any:
    """Return an interface on which the short ways are closed."""

    class Own(base):  # type: ignore[misc]
        def get_signing_serializer(self, app: flask.Flask) -> Any:
            return super().get_signing_serializer(app)

    return Own()


@functools.cache
def clients() -> tuple[Any, Any, Any]:
    """Return clients of applications on Flask's sessions, on ours, and on ours the slow way."""
    interfaces = (
        flask.sessions.SecureCookieSessionInterface(),
        ours.SecureCookieSessionInterface(),
        with_own_serializer(ours.SecureCookieSessionInterface),
    )
    return tuple(  # type: ignore[return-value]  # three of them
        make_app(interface, views).test_client(use_cookies=False) for interface in interfaces
    )


@functools.cache
def good(kind: str) -> str:
    """Return the value of a good cookie."""
    contents: dict[str, Any] = {
        "small": {"user": 7},
        "permanent": {"user": 7, "_permanent": True},
        "large": {"rows": [{"name": "row", "number": number} for number in range(60)]},
        "everything": EVERYTHING,
    }[kind]
    app = make_app(ours.SecureCookieSessionInterface())
    with clock(), app.app_context():
        serializer = ours.SecureCookieSessionInterface().get_signing_serializer(app)
        assert serializer is not None
        made: str = serializer.dumps(contents)
    return made


def short(value: object) -> str:
    """Return a name for a test with a long parameter."""
    return repr(value)[:30]


GOOD = ("small", "permanent", "large", "everything")


def send(header: str) -> str:
    """Send a Cookie header everywhere; return what the session held, the same everywhere."""
    theirs, *mine = clients()
    environ = {"HTTP_COOKIE": header}
    with clock(START + 10):
        expected = theirs.get("/read", environ_overrides=environ)
        seen = []
        for client in mine:
            for path in ("/untouched", "/write", "/read"):
                answer = client.get(path, environ_overrides=environ)
                assert answer.status_code == 200, (path, header)
            seen.append(answer.text)
            # A bad cookie is neither deleted nor replaced.
            if answer.text == "{}":
                assert "Set-Cookie" not in answer.headers
    assert len(set(seen)) == 1
    if expected.status_code == 200:
        assert seen[0] == expected.text, header
    else:
        assert expected.status_code == 500
        # Flask fails where the header is no UTF-8 too, and then we read what can be read.
        assert seen[0] == "{}" or not header.isascii()
    return seen[0]


def sent(value: str) -> str:
    """Send a cookie's value everywhere; return what the session held."""
    return send(f"session={value}")


def test_the_good_cookies_of_these_tests_are_good():
    """A good cookie is read: otherwise the tests below would prove nothing."""
    assert all(sent(good(kind)) != "{}" for kind in GOOD)
    assert "'user': 7" in sent(good("small"))


# Raw headers


@given(raw=st.binary(max_size=200))
@examples(200)
def test_any_bytes_as_header(raw):
    """Any bytes as the whole Cookie header are answered with 200."""
    send(raw.decode("latin1"))


@given(raw=st.binary(max_size=100))
@examples(200)
def test_any_bytes_as_value(raw):
    """Any bytes as the session's cookie are answered with 200, and an empty session."""
    sent(raw.decode("latin1"))


@given(text=st.text('ab.-_=;, "\\\t\x00\x1c\x7f\x85\xa0\xe9\xff', max_size=30))
@examples(200)
def test_awkward_characters_as_value(text):
    """Separators, quotes, spaces and control characters are answered with 200."""
    sent(text)
    send(text + good("small"))
    send(f"{text}; session={good('small')}")
    send(f"session={good('small')}{text}")
    send(f"session={text}; session={good('small')}")


@pytest.mark.parametrize(
    "value",
    [
        *("", " ", ".", "..", "...", "a", "a.b", "a.b.c", ".a.b.c", "a..c", "a.b.", "-" * 5),
        *("\xe9", "\x00", "=", "====.==.==", "A" * 100_000, "." * 100_000, "%2e%2e", '""', '"'),
        *("null", "e30", "e30.a.b", "bnVsbA.aVW5AA.x", "../../etc/passwd", "\ud800"),
    ],
    ids=short,
)
def test_odd_values(value):
    """What scanners send is an empty session."""
    assert sent(value.encode("latin1", "replace").decode("latin1")) == "{}"


# Good cookies, damaged


@pytest.mark.parametrize("kind", ["small", "permanent", "everything"])
def test_every_truncation_of_a_good_cookie(kind):
    """A good cookie cut short anywhere is an empty session."""
    value = good(kind)
    for end in range(len(value)):
        assert sent(value[:end]) == "{}"
        if end % 7 == 0:
            sent(value[end:])


@pytest.mark.parametrize("kind", ["small", "permanent"])
def test_every_character_of_a_good_cookie_replaced(kind):
    """A good cookie with one other character gets the verdict that Flask gives it."""
    value = good(kind)
    for index, old in enumerate(value):
        following = chr(ord(old) + 1)
        for new in {"A", "_", ".", "=", "!", following} - {old, '"', "\\"}:
            sent(value[:index] + new + value[index + 1 :])


@pytest.mark.parametrize("extra", ["", "A", "=", "==", "!", ".", "-", "~", "é"])
def test_every_insertion_into_a_good_cookie(extra):
    """Characters that base64 passes over are passed over where Flask does so, and only there."""
    value = good("small")
    for index in range(len(value) + 1):
        sent(value[:index] + extra + value[index:])


@given(
    kinds=st.tuples(st.sampled_from(GOOD), st.sampled_from(GOOD)),
    cuts=st.tuples(st.integers(0, 300), st.integers(0, 300)),
)
@examples(200)
def test_splices_of_good_cookies(kinds, cuts):
    """The beginning of one good cookie and the end of another make no good one."""
    one, other = good(kinds[0]), good(kinds[1])
    sent(one[: cuts[0]] + other[cuts[1] :])
    parts = one.split("."), other.split(".")
    sent(".".join(parts[0][:-1] + parts[1][-1:]))
    sent(".".join(parts[0][:-2] + parts[1][-2:]))


# Good signatures over rubbish


def signature_over(value: bytes) -> str:
    """Return anything at all with a good signature behind it."""
    signer = Signer(SECRET, salt=b"cookie-session", key_derivation="hmac")
    return signer.sign(value).decode("latin1")


def stamped(payload: bytes, stamp: bytes | int = START) -> str:
    """Return a payload with a stamp and a good signature."""
    if isinstance(stamp, int):
        stamp = base64_encode(stamp.to_bytes(max(1, (stamp.bit_length() + 7) // 8), "big"))
    return signature_over(payload + b"." + stamp)


def test_the_signatures_of_these_tests_are_good():
    """A good signature over good contents is read: otherwise the tests below prove nothing."""
    assert sent(stamped(base64_encode(b'{"a":1}'))) == "{'a': 1}"
    assert sent(stamped(b"." + base64_encode(zlib.compress(b'{"a":1}')))) == "{'a': 1}"


@given(payload=st.binary(max_size=80), compressed=st.booleans())
@examples(250)
def test_any_payload_under_a_good_signature(payload, compressed):
    """Any bytes under a good signature are answered with 200."""
    sent(stamped(base64_encode(payload)))
    if compressed:
        sent(stamped(b"." + base64_encode(zlib.compress(payload))))
        sent(stamped(b"." + base64_encode(payload)))


@given(value=st.binary(max_size=60))
@examples(200)
def test_any_text_under_a_good_signature(value):
    """Anything that isn't even payload and time is answered with 200, signed or not."""
    sent(signature_over(value))
    sent(signature_over(value + b"." + base64_encode(START.to_bytes(4, "big"))))
    sent(signature_over(base64_encode(b'{"a":1}') + b"." + value))


@pytest.mark.parametrize(
    "text",
    [
        *("null", "true", "0", "1", '""', '"a"', "[]", "[1]", "[[]]", '[["a",1]]', '[["a",1,2]]'),
        *("{}", "", " ", "{", "nul", "NaN", "[NaN]", '{"a":NaN}', "1e999", '"ab"', '["ab"]'),
        *('{" t":[["a",1]]}', '{" t":1}', '{" u":"x"}', '{" d":"x"}', '{" d":1}', '{" b":"x"}'),
        *('{" b":"é"}', '{" di":1}', '{" di":{}}', '{" di":{"a":1}}', '{" di":{"a__":1,"b":2}}'),
        *('{"a":{" u":1}}', '{"a":{" m":1}}', '{"a":{" m":null}}', '{" m":"x"}', '{"a":{" b":1}}'),
        *('{"_permanent":true}', '{"_permanent":"x"}', '{"_permanent":[1]}', '{"_permanent":null}'),
        *('{"\\u005fpermanent":true}', '{"_flashes":1}', '{"a":1,"a":2}', '{"a":"\\ud800"}'),
        "[" * 50_000 + "]" * 50_000,
        '{"a":' * 20_000 + "1" + "}" * 20_000,
        '{" t":[' * 3_000 + "]}" * 3_000,
        '{"a":' + "9" * 5_000 + "}",
        '{"a":"' + "x" * 100_000 + '"}',
    ],
    ids=short,
)
def test_any_json_under_a_good_signature(text):
    """JSON of another shape than a session's is an empty session, or what Flask makes of it."""
    sent(stamped(base64_encode(text.encode())))
    sent(stamped(b"." + base64_encode(zlib.compress(text.encode()))))


@pytest.mark.parametrize("depth", [100, 300, 600, 900, 1200, 2000, 5000])
def test_any_depth_under_a_good_signature(depth):
    """However deep contents are nested, the request is answered with 200, read or not."""
    for opening, closing in (('{"":', "}"), ("[", "]"), ('{" t":[', "]}")):
        text = '{"a":' + opening * depth + "1" + closing * depth + "}"
        header = f"session={stamped(b'.' + base64_encode(zlib.compress(text.encode())))}"
        with clock(START + 10):
            for client in clients()[1:]:
                for path in ("/untouched", "/write"):
                    answer = client.get(path, environ_overrides={"HTTP_COOKIE": header})
                    assert answer.status_code == 200 or path == "/write"


@pytest.mark.parametrize("damage", ["cut", "trailing", "twice", "no header", "checksum"])
def test_damaged_compression_under_a_good_signature(damage):
    """A compressed payload that is no whole one gets the verdict that Flask gives it."""
    text = json.dumps({"a": list(range(100))}).encode()
    whole = zlib.compress(text)
    damaged = {
        "cut": whole[:-5],
        "trailing": whole + b"more",
        "twice": whole * 2,
        "no header": zlib.compress(text, wbits=-15),
        "checksum": whole[:-1] + bytes([whole[-1] ^ 1]),
    }[damage]
    sent(stamped(b"." + base64_encode(damaged)))


def test_a_bomb_under_a_good_signature_takes_no_memory():
    """Fifty kilobytes that claim fifty megabytes are an empty session, and are not unpacked."""
    bomb = zlib.compress(b'{"a":"' + b"x" * 50_000_000 + b'"}', 9)
    header = f"session={stamped(b'.' + base64_encode(bomb))}"
    client = clients()[1]
    tracemalloc.start()
    try:
        with clock(START + 10):
            answer = client.get("/read", environ_overrides={"HTTP_COOKIE": header})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (answer.status_code, answer.text) == (200, "{}")
    assert peak < 8_000_000


@pytest.mark.parametrize(
    "stamp",
    [
        *(0, 1, START, START + 9, START + 10, START + 11, START - 31 * 86400, 2**31, 2**32 - 1),
        *(2**33, 2**63, 2**64 - 1, 2**64, 2**200, START - 31 * 86400 + 10, START - 31 * 86400 + 9),
        *(b"", b"=", b"A", b"!!!!", b"AAAA" + base64_encode(START.to_bytes(4, "big"))),
        b"A" * 10_000,
    ],
    ids=short,
)
def test_any_time_under_a_good_signature(stamp):
    """Times of any size, and what is no time, get the verdict that Flask gives them."""
    sent(stamped(base64_encode(b'{"a":1}'), stamp))


@given(stamp=st.one_of(st.binary(max_size=12), st.integers(0, 2**70)))
@examples(150)
def test_random_times_under_a_good_signature(stamp):
    """Random times get the verdict that Flask gives them."""
    sent(stamped(base64_encode(b'{"a":1}'), stamp))


@pytest.mark.parametrize("salt", [b"cookie-session", b"other", b""])
@pytest.mark.parametrize("derivation", ["hmac", "concat", "django-concat", "none"])
def test_signatures_of_other_kinds_are_not_good(derivation, salt):
    """A signature for another purpose or of another kind is none."""
    value = base64_encode(b'{"a":1}') + b"." + base64_encode(START.to_bytes(4, "big"))
    signed = Signer(SECRET, salt=salt, key_derivation=derivation).sign(value).decode()
    usual = (derivation, salt) == ("hmac", b"cookie-session")
    assert sent(signed) == ("{'a': 1}" if usual else "{}")
