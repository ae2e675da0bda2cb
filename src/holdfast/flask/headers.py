"""Cookies on Flask's requests and responses.

The text of headers is read and written in ``holdfast.core.cookies``; where a request or response
class has ways of its own, those are asked instead.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import flask
from werkzeug.http import http_date
from werkzeug.sansio.http import parse_cookie

from holdfast.core import cookies
from holdfast.core.cookies import Attributes

if TYPE_CHECKING:
    from flask import Request, Response


def find_cookie(request: Request, name: str) -> str | None:
    """Return the value of a request's cookie, as Werkzeug reads it, or None.

    A header that Werkzeug refuses to read, because it is no UTF-8, is read with the bad bytes
    replaced.
    """
    parsed = request.__dict__.get("cookies")
    if parsed is not None:
        found: str | None = parsed.get(name)
        return found
    header: str = request.environ.get("HTTP_COOKIE", "")
    if type(request).cookies is flask.Request.cookies:
        if not header:
            return None
        try:
            return cookies.find(header, name)
        except cookies.Ambiguous:
            pass
    try:
        return request.cookies.get(name)
    except UnicodeError:
        text = header.encode("latin1", errors="replace").decode(errors="replace")
        return parse_cookie(text).get(name)


def set_cookie(
    response: Response,
    name: str,
    value: str,
    attributes: Attributes,
    expires: datetime | str | float | None,
) -> int:
    """Add a Set-Cookie header; return its length in bytes, 0 if the response class wrote it."""
    cls = type(response)
    if cls.set_cookie is not flask.Response.set_cookie:
        response.set_cookie(name, value, expires=expires, **_keywords(attributes))
        return 0
    if expires is not None and not isinstance(expires, str):
        expires = http_date(expires)
    text = cookies.set_cookie(name, value, attributes, expires=expires)
    response.headers.add("Set-Cookie", text)
    return len(text)


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
    headers = response.headers
    if "Vary" in headers:
        response.vary.add("Cookie")
    else:
        headers["Vary"] = "Cookie"


def _keywords(attributes: Attributes) -> dict[str, Any]:
    keywords = attributes._asdict()
    if not attributes.partitioned:
        del keywords["partitioned"]  # Werkzeug knows it from 3.1 on
    return keywords
