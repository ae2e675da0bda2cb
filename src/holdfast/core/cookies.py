"""Cookies as they stand in headers: find one in Cookie, write a Set-Cookie.

RFC 6265bis. What is written is, byte for byte, what Werkzeug writes.
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple
from urllib.parse import quote

from holdfast.errors import ConfigurationError

# RFC 6265bis, section 5.6: a cookie whose name and value together exceed this is ignored.
BROWSER_LIMIT = 4096

_NOT_IN_NAMES = frozenset(' \t=";')
# A name with one of these beside it is part of a longer one, or of a value.
_NAME_GOES_ON = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
_EPOCH = "Thu, 01 Jan 1970 00:00:00 GMT"
_UNQUOTED = re.compile(r"[\w!#$%&'()*+\-./:<=>?@\[\]^`{|}~]*", re.ASCII)
_NAME = re.compile(r"[\w!#$%&'*+\-.^`|~]+", re.ASCII)
_ESCAPED = re.compile(rb"[\x00-\x19\",;\\\x7f-\xff]")
_PATH_SAFE = "%!$&'()*+,/:=@"


class Ambiguous(Exception):
    """A Cookie header takes a full parser to be read."""


class Attributes(NamedTuple):
    """The attributes of a cookie; one list serves setting and deleting it."""

    domain: str | None = None
    path: str | None = "/"
    secure: bool = False
    httponly: bool = False
    samesite: str | None = None
    partitioned: bool = False


# A browser sends the same header many times before it changes, and remembering the last ones
# takes a third off what a request costs that does not use its session.
@functools.lru_cache(maxsize=512)
def find_known(header: str, name: str) -> str | None:
    """Do what :func:`find` does, remembering; for headers of a reasonable length."""
    return find(header, name)


def find(header: str, name: str) -> str | None:
    """Return the value of the cookie ``name``, or None if the header has none.

    Raises :exc:`Ambiguous` unless the cookie is plainly there: once, unquoted, in ASCII, in a
    header without any quotes.
    """
    start = header.find(name)
    if start < 0 and name.isascii():
        return None
    # Not printable: control characters, which some versions of Werkzeug take for spaces.
    plain = header.isascii() and header.isprintable() and '"' not in header
    if not plain or not name or not _NOT_IN_NAMES.isdisjoint(name):
        raise Ambiguous
    value = -1
    while start >= 0:
        end = start + len(name)
        if header[end : end + 1] == "=" and (start == 0 or header[start - 2 : start] == "; "):
            if value >= 0:
                raise Ambiguous
            value = end + 1
        elif header[end : end + 1] not in _NAME_GOES_ON and (
            header[start - 1 : start] not in _NAME_GOES_ON
        ):
            raise Ambiguous
        start = header.find(name, end)
    if value < 0:
        return None
    end = header.find(";", value)
    found = header[value:] if end < 0 else header[value:end]
    if " " in found:
        raise Ambiguous
    return found


def is_name(text: object) -> bool:
    """Return whether a cookie may have this name (RFC 6265, section 4.1.1)."""
    return isinstance(text, str) and _NAME.fullmatch(text) is not None


def set_cookie(name: str, value: str, attributes: Attributes, expires: str | None = None) -> str:
    """Return the text of a Set-Cookie header.

    ``value`` is as :func:`quoted` returns it. ``expires`` is an HTTP date; without one the cookie
    lasts as long as the browser runs. Raises :exc:`holdfast.ConfigurationError` for a SameSite
    that isn't one.
    """
    before, after = _attribute_texts(*attributes)
    expiry = "" if expires is None else f"; Expires={expires}"
    return f"{_name(name)}={value}{before}{expiry}{after}"


def delete_cookie(name: str, attributes: Attributes) -> str:
    """Return the text of a Set-Cookie header that makes a browser forget the cookie.

    Browsers match it by the same attributes with which it was set.
    """
    before, after = _attribute_texts(*attributes)
    return f"{_name(name)}={before}; Expires={_EPOCH}; Max-Age=0{after}"


def quoted(value: str) -> str:
    """Return a cookie's value as it stands in a header: in quotes, escaped, where it has to be."""
    if _UNQUOTED.fullmatch(value):
        return value
    escaped = _ESCAPED.sub(
        lambda match: b"\\" + match[0] if match[0] in b'"\\' else b"\\%03o" % match[0][0],
        value.encode(),
    )
    return f'"{escaped.decode("ascii")}"'


def _name(name: str) -> str:
    return name if name.isascii() else name.encode().decode("latin1")


# Typed, since Werkzeug writes `Secure` for True and `Secure=1` for 1.
@functools.lru_cache(maxsize=64, typed=True)
def _attribute_texts(  # noqa: PLR0913, PLR0917  # the fields of Attributes, in their order
    domain: str | None,
    path: str | None,
    secure: bool,  # noqa: FBT001  # as there
    httponly: bool,  # noqa: FBT001  # as there
    samesite: str | None,
    partitioned: bool,  # noqa: FBT001  # as there
) -> tuple[str, str]:
    """Return what stands before Expires and Max-Age and what stands after them."""
    if domain:
        domain = domain.partition(":")[0].lstrip(".").encode("idna").decode("ascii")
    if path is not None:
        path = quote(path, safe=_PATH_SAFE)
    if samesite is not None:
        given, samesite = samesite, samesite.title()
        if samesite not in {"Strict", "Lax", "None"}:
            msg = f"SESSION_COOKIE_SAMESITE must be 'Strict', 'Lax' or 'None', not {given!r}"
            raise ConfigurationError(msg)
    texts = [
        f"; {label}" if setting is True else f"; {label}={setting}"
        for label, setting in (
            ("Secure", True if partitioned else secure),
            ("HttpOnly", httponly),
            ("Path", path),
            ("SameSite", samesite),
            ("Partitioned", partitioned),
        )
        if setting is not None and setting is not False
    ]
    # False stood for None in older versions of Flask; the empty text is written, as Werkzeug does.
    before = f"; Domain={domain}" if domain or domain == "" else ""
    return before, "".join(texts)
