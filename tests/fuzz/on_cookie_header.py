"""Cookie headers are read as Werkzeug reads them, or left to it."""

from __future__ import annotations

from fuzzed import chosen
from werkzeug.sansio.http import parse_cookie

from holdfast.core import cookies
from holdfast.core.cookies import Ambiguous, Attributes

_NAMES = ["session", "__Host-session", "s", "é", "a b", "a=b", ""]
SEEDS = [
    b"\0session=abc; a=1",
    b"\0a=1; session=abc.def-_; b=session",
    b'\0session="a\\054b\\"c"; session=d',
    b"\0 session = x ;session=y,z; ;=",
    b"\1__Host-session=abc; session=x",
    b"\2s=1; ss=2; s=3",
    b"\3\xc3\xa9=1; \xe9=2",
    b"\4a b=1; b=2",
    b"\5a=b=c",
    b"\7\0plain",
    b'\7\1a "quoted", one; \\ \xc3\xa9',
]


def check(data: bytes) -> None:
    """Find each of some names in any header, and any value in a header that we wrote it to."""
    way, rest = chosen(data, len(_NAMES) + 1)
    if way == len(_NAMES):
        check_written(rest)
        return
    name = _NAMES[way]
    for header in {rest.decode("latin1"), rest.decode("utf-8", "replace")}:
        expected = parse_cookie(header).get(name)
        try:
            found = cookies.find(header, name)
        except Ambiguous:
            continue
        assert found == expected
        assert cookies.find_known(header, name) == found


def check_written(data: bytes) -> None:
    """Check that what is set is what is read, by Werkzeug, and by us where it is plain."""
    way, rest = chosen(data, 3)
    name, value = _NAMES[way], rest.decode("utf-8", "replace")
    text = cookies.quoted(value)
    assert text.isascii()
    assert not set(";, \r\n") & set(text) or text.startswith('"')
    header = cookies.set_cookie(name, text, Attributes()).partition("; Path=")[0]
    assert "\n" not in header
    for before, after in (("", ""), ("a=1; ", ""), ("", "; b=2"), ("a=1; ", "; b=2")):
        sent = before + header + after
        assert parse_cookie(sent).get(name) == value
        try:
            found = cookies.find(sent, name)
        except Ambiguous:
            continue
        assert found == text
