"""Cookies on Flask's requests and responses.

The text of headers is read and written in ``holdfast.core.cookies``; where a request or response
class has ways of its own, those are asked instead.
"""

from __future__ import annotations

import functools
import inspect
from datetime import datetime
from typing import TYPE_CHECKING, Any

import flask
from werkzeug.http import http_date
from werkzeug.sansio.http import parse_cookie

from holdfast.core import cookies
from holdfast.core.cookies import Attributes

if TYPE_CHECKING:
    from flask import Flask, Request, Response


# The longest Cookie header that is remembered, in bytes.
_REMEMBERED = 4096


def find_cookie(request: Request, name: str) -> str | None:
    """Return the value of a request's cookie, as Werkzeug reads it, or None.

    A header that Werkzeug refuses to read, because it is no UTF-8, is read with the bad bytes
    replaced.
    """
    header: str = request.environ.get("HTTP_COOKIE", "")
    cls: Any = type(request)
    if _has_stock_cookies(cls):
        if not header:
            return None
        try:
            find = cookies.find_known if len(header) <= _REMEMBERED else cookies.find
            return find(header, name)
        except cookies.Ambiguous:
            pass
    try:
        return request.cookies.get(name)
    except UnicodeError:
        text = header.encode("latin1", errors="replace").decode(errors="replace")
        return parse_cookie(text).get(name)


@functools.lru_cache(maxsize=64)
def _has_stock_cookies(cls: Any) -> bool:
    # Remembered, since Werkzeug answers a look at the class itself in Python.
    stock: bool = cls.cookies is flask.Request.cookies
    return stock


def set_cookie(  # noqa: PLR0913, PLR0917  # what Werkzeug's takes, and `quoted`
    response: Response,
    name: str,
    value: str,
    attributes: Attributes,
    expires: datetime | str | float | None,
    quoted: bool,  # noqa: FBT001  # on the fast path, where keywords are not free
) -> int:
    """Add a Set-Cookie header; return its length in bytes, 0 if the response class wrote it.

    ``quoted`` says whether the value may need quotes.
    """
    cls = type(response)
    if cls.set_cookie is not flask.Response.set_cookie:
        response.set_cookie(name, value, expires=expires, **_keywords(attributes))
        return 0
    if isinstance(expires, datetime):
        expires = _date_text(expires.replace(microsecond=0))
    elif expires is not None and not isinstance(expires, str):
        expires = http_date(expires)
    if quoted:
        value = cookies.quoted(value)
    text = cookies.set_cookie(name, value, attributes, expires)
    response.headers.add("Set-Cookie", text)
    return len(text)


# All responses of one second have the same; making it takes longer than signing.
_date_text = functools.lru_cache(maxsize=16)(http_date)


def drop_cookie(response: Response, name: str, attributes: Attributes) -> None:
    """Add a Set-Cookie header that deletes the cookie."""
    cls = type(response)
    if (
        cls.set_cookie is not flask.Response.set_cookie
        or cls.delete_cookie is not flask.Response.delete_cookie
    ):
        response.delete_cookie(name, **_keywords(attributes))
    else:
        response.headers.add("Set-Cookie", cookies.delete_cookie(name, attributes))


def vary_by_cookie(response: Response) -> None:
    """Have caches keep a response apart by cookie (RFC 9110, section 12.5.5)."""
    for key, _ in response.headers:
        if key.lower() == "vary":
            response.vary.add("Cookie")
            return
    response.headers.add("Vary", "Cookie")


def max_cookie_size(app: Flask, response: Response) -> int:
    """Return the bytes above which Flask warns of a Set-Cookie header; 0 for never."""
    limit: int
    if type(response).max_cookie_size is flask.Response.max_cookie_size:
        limit = app.config["MAX_COOKIE_SIZE"]  # what it would answer, without the proxies
    else:
        limit = response.max_cookie_size
    return limit


def _keywords(attributes: Attributes) -> dict[str, Any]:
    keywords = attributes._asdict()
    if not _KNOWS_PARTITIONED:
        del keywords["partitioned"]
    return keywords


# From Werkzeug 3.1 on.
_KNOWS_PARTITIONED = "partitioned" in inspect.signature(flask.Response.set_cookie).parameters
