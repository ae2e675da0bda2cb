"""The page that shows a sealed cookie, beside the same session in a signed one."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import anatomy
from flask import Blueprint, current_app, redirect, render_template, request, url_for

from holdfast.flask import SecureCookieSessionInterface, session

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

# Under the name of the page that shows a signed cookie: an application has one of the two.
sealed_page = Blueprint("cookie", __name__)


@sealed_page.get("/cookie")
def show() -> str:
    """Show the cookie that came with this request, and what a signed one would give away."""
    held = held_sealed()
    if held is None:
        return render_template("no_cookie.html")
    return render_template(
        "sealed.html",
        opens=not session.new,
        changed_at=anatomy.changeable(held.token),
        signed=None if session.new else signed_twin(held.name),
        limit=anatomy.BROWSER_LIMIT,
        source="\n\n".join(inspect.getsource(view).rstrip() for view in (tamper, signed_twin)),
    )


@sealed_page.post("/cookie/tamper")
def tamper() -> Response:
    """Send the browser its own cookie with one letter changed, or changed back."""
    response = redirect(url_for(".show"), 303)
    if held := held_sealed():
        changed = anatomy.change(held.token)
        response.set_cookie(held.name, changed, httponly=True, samesite="Lax")
    return response


def signed_twin(name: str) -> anatomy.Anatomy | None:
    """Return the parts of the cookie that would have been, had this session been signed."""
    serializer = SecureCookieSessionInterface().get_signing_serializer(current_app)
    if serializer is None:
        return None
    token = serializer.dumps(dict(session))
    return anatomy.dissect(name, token.decode() if isinstance(token, bytes) else token)


def held_sealed() -> anatomy.Sealed | None:
    """Return what there is to see of the session cookie that came with this request."""
    name = current_app.session_interface.get_cookie_name(current_app)
    token = request.cookies.get(name)
    return anatomy.unread(name, token) if token else None
