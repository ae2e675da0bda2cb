"""Set-Cookie is written and Cookie is read exactly as Werkzeug writes and reads them."""

from __future__ import annotations

import inspect
import itertools
import warnings
from typing import Any

import flask
import pytest
from hypothesis import given, strategies as st
from pairs import HAS_PARTITIONED, examples
from werkzeug.http import dump_cookie, http_date

from holdfast.core import cookies
from holdfast.core.cookies import Attributes
from holdfast.flask.headers import drop_cookie, find_cookie, set_cookie

WRITES_PARTITIONED = "partitioned" in inspect.signature(dump_cookie).parameters
DATE = http_date(2_000_000_000)


def written(function: Any, *args: Any, **kwargs: Any) -> str:
    """Return what was written, or the kind of error that was raised."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            text: str = function(*args, **kwargs)
    except ValueError:
        return "ValueError"
    except (AttributeError, TypeError):
        return "type error"
    return text


def keywords(attributes: Attributes) -> dict[str, Any]:
    """Return attributes as Werkzeug takes them."""
    names = attributes._asdict()
    if not WRITES_PARTITIONED:
        assert not names.pop("partitioned")
    return names


def header(name: str, value: str, attributes: Attributes, expires: str | None) -> str:
    """Return our text for a cookie with any value."""
    return cookies.set_cookie(name, cookies.quoted(value), attributes, expires)


def same(name: str, value: str, attributes: Attributes) -> None:
    """Demand that a cookie is set and deleted in the words that Werkzeug uses."""
    words = keywords(attributes)
    for expires in (None, DATE):
        assert written(header, name, value, attributes, expires) == written(
            dump_cookie, name, value, expires=expires, max_size=0, **words
        )
    assert written(cookies.delete_cookie, name, attributes) == written(
        dump_cookie, name, "", expires=0, max_age=0, max_size=0, **words
    )


DOMAINS = [None, "", "example.com", ".example.com", "..a", "example.com:5000", "münchen.de", False]
PATHS = [None, "", "/", "/app", "/a b", "/ü;x=1,\x7f", "/%20%zz", "/!$&'()*+,:=@\"<>"]
FLAGS: list[Any] = [True, False, 1, 0, "", None]
SAMESITES: list[Any] = [None, "Lax", "lax", "STRICT", "none", "", "wrong", False, 1]
PARTITIONED: list[Any] = [True, False, 1, None] if WRITES_PARTITIONED else [False]


@pytest.mark.parametrize("samesite", SAMESITES)
@pytest.mark.parametrize("partitioned", PARTITIONED)
def test_every_combination_of_attributes_is_written_as_werkzeug_writes_it(samesite, partitioned):
    """Setting and deleting give Werkzeug's text for every combination of attributes."""
    for domain, path, secure, httponly in itertools.product(DOMAINS, PATHS, FLAGS, FLAGS):
        attributes = Attributes(domain, path, secure, httponly, samesite, partitioned)  # type: ignore[arg-type]
        same("session", "a.b-c_d", attributes)


@pytest.mark.parametrize("domain", ["a" * 70 + ".de", "a..b", "bücher.example:80", "例え.jp", " x"])
def test_odd_domains_are_written_as_werkzeug_writes_them(domain):
    """A domain is encoded, or refused, as Werkzeug does it."""
    same("session", "v", Attributes(domain=domain))


@given(
    name=st.text(st.characters(exclude_categories=("Cs",)), max_size=8),
    value=st.text(st.characters(exclude_categories=("Cs",)), max_size=20),
    path=st.none() | st.text(st.characters(exclude_categories=("Cs",)), max_size=8),
)
@examples(600)
def test_any_name_value_and_path_is_written_as_werkzeug_writes_it(name, value, path):
    """Names, values that need quoting, and paths give Werkzeug's text."""
    same(name, value, Attributes(path=path))


@pytest.mark.parametrize("code", range(0x180))
def test_every_character_of_a_value_is_written_as_werkzeug_writes_it(code):
    """Each character is quoted where Werkzeug quotes it, and as Werkzeug quotes it."""
    same("session", f"a{chr(code)}b", Attributes())
    same(f"n{chr(code)}m", "v", Attributes(path=f"/{chr(code)}"))


@pytest.mark.parametrize("expires", [0, 1.5, DATE, None])
def test_responses_get_the_headers_that_their_own_methods_add(expires):
    """On a response the header is the one that ``set_cookie`` and ``delete_cookie`` add."""
    attributes = Attributes("example.com", "/a", secure=True, httponly=True, samesite="lax")
    if HAS_PARTITIONED:
        attributes = attributes._replace(partitioned=True)
    ours, theirs = flask.Response(), flask.Response()
    set_cookie(ours, "session", "a value", attributes, expires, quoted=True)
    drop_cookie(ours, "session", attributes)
    theirs.set_cookie("session", "a value", expires=expires, **keywords(attributes))
    theirs.delete_cookie("session", **keywords(attributes))
    assert list(ours.headers) == list(theirs.headers)


# Reading


def found(header: str, name: str = "session") -> str | None:
    """Return what Werkzeug finds, having demanded that we find the same."""
    try:
        expected = flask.Request({"HTTP_COOKIE": header}).cookies.get(name)
    except UnicodeError:
        find_cookie(flask.Request({"HTTP_COOKIE": header}), name)
        return None
    assert find_cookie(flask.Request({"HTTP_COOKIE": header}), name) == expected, (header, name)
    # The second time the request has read its cookies already.
    request = flask.Request({"HTTP_COOKIE": header})
    assert len(request.cookies) >= 0
    assert find_cookie(request, name) == expected
    return expected


NAMES = st.sampled_from(
    [
        *("session", "my_session", "session2", "sessio", "Session", "SESSION", "", " session"),
        *("session ", "session\t", "a", "a b", "séssion".encode().decode("latin1"), "session;"),
        *('"session"', "=session", "session=session", "\x0bsession", "session\x1c", "xsession"),
    ]
)
VALUES = st.one_of(
    st.sampled_from(
        [
            *("", "v", "session", "session=x", "a=b", "a.b-c_d", '"quoted"', '"', '""', '"a', 'a"'),
            *('"a;b"', '"a\\"b"', '"\\054\\303\\251"', '"\\400"', "\\054"),
            *(" v", "v ", "\tv\t", "a b"),
            *("\x0bv", "v\x0c", "\x1cv", "v\x1d", "\x1e", "v\x1f", "\rv", "v\n", "\x85v", "v\xa0"),
            *("é".encode().decode("latin1"), "\xff", "\x00", "x" * 5000, "%20", "'v'", ",", "v,w"),
            *("; session=y", ';session="y"', "=", "==", "=v"),
        ]
    ),
    st.text(st.characters(max_codepoint=0xFF), max_size=8),
)
SEPARATORS = st.sampled_from([";", "; ", " ;", ";;", ";\t", ", ", ";  ", "; ; ", "\r\n", ""])
EQUALS = st.sampled_from(["=", "=", "=", " = ", "", "==", "\t=", "= "])
HEADERS = st.lists(st.tuples(NAMES, EQUALS, VALUES, SEPARATORS), max_size=5).map(
    lambda parts: "".join(itertools.chain.from_iterable(parts))
)


@given(header=HEADERS, name=st.sampled_from(["session", "a", "sessio", "my_session"]))
@examples(2000)
def test_cookies_are_found_as_werkzeug_finds_them(header, name):
    """In any Cookie header we find the value that Werkzeug finds."""
    found(header, name)


@given(header=st.text(st.characters(max_codepoint=0xFF), max_size=60))
@examples(300)
def test_any_text_may_surround_a_cookie(header):
    """Whatever text stands before and behind a cookie, we find what Werkzeug finds."""
    found(header)
    found(f"{header}session=v")
    found(f"session=v{header}")
    found(f"{header};session=v;{header}")


@pytest.mark.parametrize("code", range(0x100))
def test_every_character_around_a_cookie(code):
    """Each single character in each place leaves us finding what Werkzeug finds."""
    odd = chr(code)
    for header in (
        f"{odd}session=v",
        f"session{odd}=v",
        f"session={odd}v",
        f"session=v{odd}w",
        f"session=v{odd}",
        f"session=v{odd}; other=w",
        f"other=w;{odd}session=v",
        f"other=w{odd}session=v",
        f"other=w; {odd}session=v",
        f"other={odd}; session=v",
        f"o{odd}; session=v",
        f"session=v; oth{odd}er=w",
    ):
        found(header)


def found_everywhere(name: str) -> None:
    """Demand of headers with a name in several places that we find what Werkzeug finds."""
    for sent in (name, name.encode().decode("latin1")):
        if all(ord(character) < 0x100 for character in sent):
            found(f"{sent}=v", name)
            found(f"other=1; {sent}=v", name)
            found(f"{sent}={sent}={sent}", name)
            found(f"x{sent}=w; {sent}=v; {sent}=u", name)


@pytest.mark.parametrize(
    "name",
    ["sessión", "ключ", "a.b", "a+b", "__Host-session", "(", "[a]", "$a", "é", "\xff", "a\xa0"],
)
def test_odd_names_are_found_as_werkzeug_finds_them(name):
    """A name that is not ASCII, or means something elsewhere, is found where Werkzeug finds it."""
    found_everywhere(name)


@pytest.mark.parametrize(
    "name", ["a b", " a", "a ", "a=b", "=", "", "a;b", ";", '"a"', 'a"', "a\tb", "\x1ca", "a\n"]
)
def test_a_name_that_no_cookie_can_have_is_found_as_rarely_as_by_werkzeug(name):
    """A name with spaces, quotes or separators is read no better than Werkzeug reads it."""
    found_everywhere(name)


def test_names_that_mean_something_elsewhere_are_found():
    """Punctuation that cookies' names may have is not taken for anything else."""
    for name in ("a.b", "a+b", "__Host-session", "s", "(", "[a]", "$a"):
        assert found(f"other=1; {name}=v", name) == "v"


def test_long_headers_are_read():
    """A very long header is read, with the cookie at either end or twice."""
    padding = "; ".join(f"c{number}={'x' * 50}" for number in range(2000))
    assert found(f"session=v; {padding}") == "v"
    assert found(f"{padding}; session=v") == "v"
    assert found(f"session=v; {padding}; session=w") == "v"
    assert found(padding) is None


def test_the_first_of_several_is_taken():
    """Of two cookies with one name the first counts, as browsers send the more specific first."""
    assert found("session=first; session=second") == "first"
    assert found('session="first"; session=second') == "first"
    assert found("my_session=no; session=yes") == "yes"


def test_a_request_without_a_cookie_header_has_none():
    """Without any header there is no cookie."""
    assert find_cookie(flask.Request({}), "session") is None
    assert find_cookie(flask.Request({"HTTP_COOKIE": ""}), "session") is None
