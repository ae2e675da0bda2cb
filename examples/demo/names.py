"""Signing in on signed cookies: under any name, since nothing there could be ended anyway."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flask import Blueprint, flash, redirect, render_template, request, url_for

from holdfast.flask import session

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

names = Blueprint("visitor", __name__)

LONGEST_NAME = 40


@names.get("/sign-in")
def sign_in_form() -> str:
    """Ask for a name."""
    return render_template(
        "sign_in_by_name.html",
        longest_name=LONGEST_NAME,
        source=inspect.getsource(sign_in).rstrip(),
    )


@names.post("/sign-in")
def sign_in() -> Response:
    """Sign in under any name."""
    name = " ".join(request.form.get("name", "").split())
    if not 0 < len(name) <= LONGEST_NAME:
        flash(f"Please give a name of 1 to {LONGEST_NAME} characters.", "problem")
        return redirect(url_for(".sign_in_form"), 303)
    session["name"] = name
    session["since"] = datetime.now(UTC)
    session.permanent = "stay" in request.form
    flash(f"Welcome, {name}.", "done")
    return redirect(url_for("shop.index"), 303)


@names.post("/sign-out")
def sign_out() -> Response:
    """Forget the visitor, and with the session all that was in it."""
    session.clear()
    flash("Signed out. The cart went with the session.", "done")
    return redirect(url_for("shop.index"), 303)
