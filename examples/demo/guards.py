"""What the demo refuses, and what it forbids its own pages."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Response, abort, request


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


def add_headers(response: Response) -> Response:
    """Allow pages nothing but their own styles, scripts, pictures and forms."""
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self';"
        " img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    return response
