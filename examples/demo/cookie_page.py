"""The page that shows the visitor's own cookie, and lets it be tampered with."""

from __future__ import annotations

import enum
import inspect
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import anatomy
from flask import Blueprint, current_app, redirect, render_template, request, url_for
from itsdangerous import BadData

from holdfast.flask import SecureCookieSessionInterface, session

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

cookie_page = Blueprint("cookie", __name__)


class State(enum.Enum):
    """What the signature says of a cookie."""

    GOOD = "good"
    CHANGED = "changed"
    """One letter, by the button on this page."""
    REFUSED = "refused"
    """Changed in another way, too old, or signed with another key."""


@cookie_page.get("/cookie")
def show() -> str:
    """Show the cookie that came with this request."""
    held = held_cookie()
    if held is None:
        return render_template("no_cookie.html")
    token = request.cookies[held.name]
    return render_template(
        "cookie.html",
        state=state_of(token).value,
        changed_at=anatomy.changeable(token),
        age=held.signed and anatomy.in_words(datetime.now(UTC) - held.signed),
        limit=anatomy.BROWSER_LIMIT,
        permanent=session.permanent,
        lifetime=current_app.permanent_session_lifetime,
        source=inspect.getsource(tamper).rstrip(),
    )


@cookie_page.post("/cookie/tamper")
def tamper() -> Response:
    """Send the browser its own cookie with one letter changed, or changed back."""
    name = current_app.config["SESSION_COOKIE_NAME"]
    response = redirect(url_for(".show"), 303)
    if token := request.cookies.get(name):
        changed = anatomy.change(token)
        contents = contents_of(token) or contents_of(changed) or {}
        lasts = current_app.permanent_session_lifetime if contents.get("_permanent") else None
        response.set_cookie(name, changed, max_age=lasts, httponly=True, samesite="Lax")
    return response


def held_cookie() -> anatomy.Anatomy | None:
    """Return the parts of the session cookie that came with this request, if one did."""
    name = current_app.config["SESSION_COOKIE_NAME"]
    token = request.cookies.get(name)
    return anatomy.dissect(name, token) if token else None


def state_of(token: str) -> State:
    """Return what the signature says of a token."""
    if contents_of(token) is not None:
        return State.GOOD
    return State.REFUSED if contents_of(anatomy.change(token)) is None else State.CHANGED


def contents_of(token: str) -> dict[str, Any] | None:
    """Return the contents of a token of ours, None for others; this does take the secret key."""
    serializer = SecureCookieSessionInterface().get_signing_serializer(current_app)
    if serializer is None:
        return None
    lifetime = int(current_app.permanent_session_lifetime.total_seconds())
    try:
        return dict(serializer.loads(token, max_age=lifetime))
    except BadData:
        return None
