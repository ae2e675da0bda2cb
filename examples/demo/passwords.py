"""Signing in with a password, registering, and signing out, on stored or sealed sessions."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

from accounts import (
    LONGEST_NAME,
    LONGEST_PASSWORD,
    NAME,
    SHORTEST_PASSWORD,
    Accounts,
    problem_with_name,
    problem_with_password,
)
from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from guards import check_csrf_token, local

from holdfast import Policy
from holdfast.flask import session

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

passwords = Blueprint("visitor", __name__)

REMEMBERED = timedelta(days=30)
REFUSED = HTTPStatus.UNPROCESSABLE_ENTITY

Page = tuple[str, HTTPStatus]


@passwords.get("/sign-in")
def sign_in_form() -> Page:
    """Ask for name and password."""
    return ask("sign_in.html", sign_in)


@passwords.post("/sign-in")
def sign_in() -> Response | Page:
    """Sign in with a password."""
    name = accounts().verified(request.form.get("name", ""), request.form.get("password", ""))
    if name is None:
        return ask("sign_in.html", sign_in, "There is no account of that name and password.")
    return begin(name, f"Welcome, {name}.")


@passwords.get("/register")
def register_form() -> Page:
    """Ask for the name and password of a new account."""
    return ask("register.html", register)


@passwords.post("/register")
def register() -> Response | Page:
    """Make an account, and sign in to it."""
    name, password = request.form.get("name", ""), request.form.get("password", "")
    problem = problem_with_name(name) or problem_with_password(password)
    if problem is None and not accounts().register(name, password):
        problem = "That name is taken."
    if problem is not None:
        return ask("register.html", register, problem)
    return begin(name, f"Welcome, {name}. This account is yours.")


def begin(name: str, welcome: str) -> Response:
    """Have a user signed in, who has just given the right password."""
    session.log_in(name, methods=("password",))
    session.pop("csrf", None)  # the next page makes another one
    stays = "stay" in request.form and can_stay()
    session.permanent = stays
    session.lifetime = REMEMBERED if stays else None
    flash(welcome, "done")
    return redirect(local(request.args.get("next")) or url_for("shop.index"), 303)


@passwords.post("/sign-out")
def sign_out() -> Response:
    """End the session, and with it all that was in it."""
    check_csrf_token()
    session.log_out()
    flash("Signed out. The cart went with the session.", "done")
    return redirect(url_for("shop.index"), 303)


def accounts() -> Accounts:
    """Return the accounts of the shop."""
    kept: Accounts = current_app.extensions["accounts"]
    return kept


def can_stay() -> bool:
    """Return whether the policy has a user stay signed in when the browser closes.

    Where ended sessions are remembered for the idle time, none may be longer.
    """
    policy: Policy = current_app.extensions["holdfast"].policy
    bounded = current_app.session_interface.store is not None and policy.absolute is None
    if bounded and "cookie" in current_app.blueprints and (policy.idle or REMEMBERED) < REMEMBERED:
        return False
    return policy.cookie.persistent is not False


def ask(template: str, view: Callable[..., object], problem: str | None = None) -> Page:
    """Return a form, again if there was a problem with what was sent."""
    page = render_template(
        template,
        problem=problem,
        name=request.form.get("name", ""),
        next=local(request.args.get("next")),
        name_pattern=NAME,
        longest_name=LONGEST_NAME,
        shortest=SHORTEST_PASSWORD,
        longest=LONGEST_PASSWORD,
        remembered=REMEMBERED if can_stay() else None,
        source="\n\n".join(inspect.getsource(each).rstrip() for each in (view, begin)),
    )
    return page, HTTPStatus.OK if problem is None else REFUSED
