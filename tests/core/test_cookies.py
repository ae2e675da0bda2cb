"""Cookies in headers, beside Werkzeug's and beside a plain reference."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, strategies as st
from values import examples
from werkzeug.http import dump_cookie
from werkzeug.sansio.http import parse_cookie

from holdfast import ConfigurationError
from holdfast.core import cookies
from holdfast.core.cookies import Ambiguous, Attributes

NAME = "session"
EXPIRES = "Tue, 03 Feb 2026 04:05:06 GMT"


def by_reference(header: str, name: str) -> str | None:
    """Return the first cookie of that name, of a header as browsers send it."""
    for pair in header.split("; "):
        key, equals, value = pair.partition("=")
        if equals and key == name:
            return value
    return None


def found(header: str, name: str = NAME) -> Any:
    """Return what is found; ``Ambiguous`` where it takes a parser to tell."""
    try:
        return cookies.find(header, name)
    except Ambiguous:
        return Ambiguous


# Found


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("session=abc", "abc"),
        ("session=abc; a=1", "abc"),
        ("a=1; session=abc", "abc"),
        ("a=1; session=abc; b=2", "abc"),
        ("session=", ""),
        ("session=; a=1", ""),
        ("session=a=b==", "a=b=="),
        ("session=.eJx-_.AB.cd", ".eJx-_.AB.cd"),
        ("a=1; b=2", None),
        ("", None),
        ("sessio=abc", None),
        ("SESSION=abc", None),
        ("mysession=a", None),
        ("mysession=a; session=b", "b"),
        ("session=b; mysession=a", "b"),
        ("session2=a", None),
        ("session2=a; session=b; my_session.x=c", "b"),
        ("a=my-session-id; session=b", "b"),
        ("sessionsession=a; session=b", "b"),
    ],
)
def test_a_cookie_that_is_plainly_there_is_found(header, value):
    """A cookie that stands once, unquoted and in ASCII is found, or is plainly missing."""
    assert found(header) == value


@pytest.mark.parametrize(
    "header",
    [
        "session=a; session=b",  # the first counts, says a parser
        "session=a; b=session",
        "session=a; session",
        "session=a; x=1; session=b; session2=c",
        "a=session; b=1",
        "a=session=1",
        "session",
        "session; a=1",
        "session =a",
        "session= a",
        "session=a ",
        "session=a\t",
        "session=a b",
        'session="a"',
        'a="1"; session=a',
        'a="; session=a; b="',
        "session=é",
        "a=é; session=a",
        "a=1;session=a",
        "a=1;  session=a",
        "a=1,session=a",
        " session=a",
        ";session=a",
        "; x session=a",
    ],
)
def test_what_takes_a_parser_is_left_to_one(header):
    """Where two readers could see different cookies, none is named."""
    assert found(header) is Ambiguous


CHARACTERS = st.text('ab=;, \t"\\é\x7f\x0b.', max_size=6)
PAIRS = st.one_of(
    st.tuples(st.sampled_from([NAME, "a", "xsession", "session2", "", "s"]), CHARACTERS).map(
        "=".join
    ),
    st.sampled_from([NAME, "session=abc", "a=session", " session=abc", 'q="x;session=1"']),
    CHARACTERS,
)
HEADERS = st.builds(
    lambda pairs, separators: "".join(itertools.chain(*zip(pairs, separators, strict=False))),
    st.lists(PAIRS, max_size=5),
    st.lists(st.sampled_from(["; ", "; ", ";", ",", " ; "]), min_size=5, max_size=5),
)


@examples(800)
@given(HEADERS)
def test_what_is_found_is_what_werkzeug_finds(header):
    """Of any header, what is found is what Werkzeug finds, or is left to it."""
    value = found(header)
    assert value is Ambiguous or value == parse_cookie(header).get(NAME)


@examples(300)
@given(
    st.text(
        st.characters(exclude_characters='=;" \t\r\n,', max_codepoint=383), min_size=1, max_size=4
    ),
    HEADERS,
    st.text("ab=.", max_size=5),
)
def test_a_cookie_of_any_name_is_found_as_werkzeug_finds_it(name, before, value):
    """Whatever a cookie is named, in ASCII or not, no other cookie is taken for it."""
    pair = f"{name}={value}"
    for header in (before, pair, before + pair, f"a={value}", f"={value}"):
        got = found(header, name)
        assert got is Ambiguous or got == parse_cookie(header).get(name)


@pytest.mark.parametrize(
    ("header", "name"), [("a=token", "éé"), ("=token", "é"), ("ab=token; éé=1", "ééé")]
)
def test_a_name_that_is_not_ascii_does_not_find_another_cookie(header, name):
    """A name outside ASCII that a header lacks is not found, however long other names are."""
    assert found(header, name) in {None, Ambiguous}


@pytest.mark.parametrize("name", ["a=b", "a b", " a", "a\tb", 'a"b', "a; b", "a;b", "="])
def test_a_name_that_no_cookie_can_have_finds_no_other_cookie(name):
    """A name that is several pairs to a parser is not found where these pairs stand."""
    for header in (f"{name}=value", f"x=1; {name}=value", f"{name}=value; x=1"):
        got = found(header, name)
        assert got is Ambiguous or got == parse_cookie(header).get(name)


TOKENS = st.text("abcXYZ019-_.", max_size=8)


@examples(300)
@given(st.dictionaries(TOKENS.filter(bool), TOKENS, max_size=5), st.sampled_from([NAME, "a", "b"]))
def test_headers_as_browsers_send_them_need_no_parser(held, name):
    """Of a header as browsers send it the answer is plain, unless the name appears twice."""
    header = "; ".join(f"{key}={value}" for key, value in held.items())
    value = found(header, name)
    if value is Ambiguous:
        assert header.count(name) > 1 or f" {name}=" not in f" {header}"
    else:
        assert value == by_reference(header, name)


def test_few_headers_are_remembered():
    """Of the headers that were searched no more than the last 512 are remembered."""
    for number in range(600):
        header = f"session={number}; a={number}"
        assert cookies.find_known(header, NAME) == cookies.find(header, NAME) == str(number)
    assert cookies.find_known.cache_info().currsize == 512
    for _ in range(2):
        with pytest.raises(Ambiguous):
            cookies.find_known("session=1; session=2", NAME)


def test_long_headers_are_searched_too():
    """A cookie is found however long the header around it is."""
    filler = "x" * 70_000
    assert found(f"a={filler}; session=abc; b={filler}") == "abc"
    assert found(f"session={filler}") == filler


# Written


def by_werkzeug(name: str, value: str, attributes: Attributes, expires: str | None = None) -> str:
    """Return what Werkzeug writes."""
    settings = attributes._asdict()
    if not attributes.partitioned:
        del settings["partitioned"]  # Werkzeug knows it from 3.1 on
    return dump_cookie(name, value, expires=expires, max_size=0, **settings)


def attempt(function: Any, *args: Any) -> Any:
    """Return what a function returns, or the message of the ValueError that it raises."""
    try:
        return function(*args)
    except ValueError:
        return ValueError


KNOWS_PARTITIONED = "partitioned" in dump_cookie.__code__.co_varnames
SETTINGS = st.builds(
    Attributes,
    domain=st.sampled_from([None, "", "example.com", ".example.com", "exämple.com", "a.b:8000"]),
    path=st.none() | st.text(max_size=8) | st.sampled_from(["/", "/app/é", "/%2F;x", "/a b"]),
    secure=st.booleans(),
    httponly=st.booleans(),
    samesite=st.sampled_from([None, "Lax", "strict", "NONE", "", "wrong"]),
    partitioned=st.booleans() if KNOWS_PARTITIONED else st.just(False),  # noqa: FBT003  # no flag
)


@examples(300)
@given(
    st.sampled_from(["session", "é", "__Host-s"]),
    st.text("ab.-_", max_size=20),
    SETTINGS,
    st.sampled_from([None, EXPIRES]),
)
def test_set_cookie_is_written_as_werkzeug_writes_it(name, value, settings, expires):
    """Of any attributes the header is Werkzeug's, byte for byte, or both refuse them."""
    expected = attempt(by_werkzeug, name, value, settings, expires)
    assert attempt(cookies.set_cookie, name, value, settings, expires) == expected


@pytest.mark.parametrize(
    ("attributes", "before", "after"),
    [
        (Attributes(path=None), "", ""),
        (
            Attributes(".exämple.com:80", "/a b", secure=True, httponly=True, samesite="lax"),
            "; Domain=xn--exmple-cua.com",
            "; Secure; HttpOnly; Path=/a%20b; SameSite=Lax",
        ),
    ],
)
def test_attributes_stand_around_the_times(attributes, before, after):
    """The domain stands before the times and the rest behind them, also when a cookie goes."""
    written = cookies.set_cookie("s", "v", attributes, EXPIRES)
    assert written == f"s=v{before}; Expires={EXPIRES}{after}"
    assert cookies.delete_cookie("s", attributes) == (
        f"s={before}; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0{after}"
    )


@examples(200)
@given(st.sampled_from(["session", "é"]), SETTINGS)
def test_a_deletion_repeats_the_attributes(name, settings):
    """A cookie is deleted by the attributes with which it was set, as Werkzeug writes it."""
    texts = {**settings._asdict()}
    if not settings.partitioned:
        del texts["partitioned"]
    try:
        expected = dump_cookie(name, "", expires=0, max_age=0, max_size=0, **texts)
    except ValueError:
        expected = ValueError
    deletion = attempt(cookies.delete_cookie, name, settings)
    assert deletion == expected
    if deletion is not ValueError:
        _, _, written = cookies.set_cookie(name, "", settings, EXPIRES).partition(EXPIRES)
        assert deletion.endswith(f"Max-Age=0{written}")


def test_truths_other_than_true_are_written_out():
    """An attribute that is set to something else than True is written with it, each for itself."""
    ones: Any = Attributes(secure=1, httponly=1)
    trues = Attributes(secure=True, httponly=True)
    for attributes in (trues, ones, trues):
        written = cookies.set_cookie("s", "v", attributes)
        assert written == by_werkzeug("s", "v", attributes)
        assert ("Secure=1" in written) is (attributes is ones)


@pytest.mark.parametrize("wrong", ["", "laxer", "no"])
def test_an_unknown_samesite_is_refused(wrong):
    """A SameSite that isn't one is refused by the name of its setting."""
    with pytest.raises(ConfigurationError, match="SESSION_COOKIE_SAMESITE must be 'Strict'"):
        cookies.set_cookie("s", "v", Attributes(samesite=wrong))


@examples(300)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.text(max_size=4))
def test_any_value_is_quoted_as_by_werkzeug(value):
    """A value stands in quotes, escaped, only where it has to, as Werkzeug writes it."""
    try:
        expected = by_werkzeug("s", value, Attributes(path=None))
    except UnicodeEncodeError:
        return  # lone surrogates: no text that a cookie could have
    assert f"s={cookies.quoted(value)}" == expected


@pytest.mark.parametrize("code", range(256))
def test_every_character_is_quoted_as_by_werkzeug(code):
    """Each character is written plainly, in quotes or as an escape, as Werkzeug does."""
    for value in (chr(code), f"a{chr(code)}b", chr(code) * 2):
        assert f"s={cookies.quoted(value)}" == by_werkzeug("s", value, Attributes(path=None))
        assert parse_cookie(f"s={cookies.quoted(value)}")["s"] == value


def test_the_limit_is_that_of_browsers():
    """Name and value together may have 4096 bytes (RFC 6265bis, section 5.6)."""
    assert cookies.BROWSER_LIMIT == 4096
