"""What the demo refuses, and what it forbids its own pages."""

from __future__ import annotations

import hmac
import re
import secrets
from urllib.parse import urlsplit

from flask import Response, abort, request

from holdfast.flask import session


def refuse_foreign_posts() -> None:
    """Refuse forms that another site sent in the user's name (CSRF).

    SameSite=Lax already keeps the cookie away from such requests. It counts every port of a host as
    one site, though, and does not guard the sign-in form, which needs no cookie; what browsers say
    of a request's origin does both, and needs no token in the session.
    """
    if request.method in {"GET", "HEAD", "OPTIONS"}:
        return
    site = request.headers.get("Sec-Fetch-Site")
    if site is None:  # an older browser, or none at all
        origin = request.headers.get("Origin")
        foreign = origin is not None and urlsplit(origin).netloc != request.host
    else:
        foreign = site not in {"same-origin", "none"}
    if foreign:
        abort(403, "This form was sent from another site.")


def csrf_token() -> str:
    """Return what the forms of who is signed in send along; the session keeps it."""
    if "csrf" not in session:
        session["csrf"] = secrets.token_urlsafe()
    token: str = session["csrf"]
    return token


def check_csrf_token() -> None:
    """Refuse a form that does not send what the session keeps."""
    kept, sent = session.get("csrf", ""), request.form.get("csrf", "")
    if not kept or not hmac.compare_digest(kept.encode(), sent.encode()):
        abort(400, "This form was made for another session. Load its page again, and send it anew.")


def local(url: str | None) -> str | None:
    """Return a URL if it is a path of this site, else None.

    Browsers read a backslash as a slash and skip tabs, so that only plain characters pass.
    """
    return url if url and re.fullmatch(r"/(?!/)[!-\[\]-~]*", url) else None


def add_headers(response: Response) -> Response:
    """Allow pages nothing but their own styles, scripts, pictures and forms."""
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self';"
        " img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    return response
