"""The pages of who is signed in: your devices, another password, and "confirm it is you"."""

from __future__ import annotations

import inspect
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

from accounts import LONGEST_PASSWORD, SHORTEST_PASSWORD, problem_with_password
from flask import Blueprint, abort, current_app, flash, redirect, render_template, request, url_for
from guards import check_csrf_token, local
from passwords import REFUSED, Page, accounts

from holdfast import ReauthenticationRequired
from holdfast.flask import (
    StoredSessionInterface,
    end_others,
    end_session,
    end_user,
    require_fresh,
    session,
    sessions_of,
)

if TYPE_CHECKING:
    from flask import Response as FlaskResponse
    from werkzeug.wrappers import Response

account = Blueprint("account", __name__, url_prefix="/account")

# As short as that, so that it is seen in a demonstration; five minutes are usual.
TO_CHANGE_PASSWORD = timedelta(minutes=1)
TO_END_DEVICES = timedelta(minutes=10)


@account.before_request
def need_somebody() -> Response | str | None:
    """Ask who it is, where nobody signed in with a password or was away for too long."""
    if "accounts" not in current_app.extensions:
        return render_template("needs_store.html")
    asks = request.endpoint in {"account.confirm_form", "account.confirm"}
    if known_name() is None or (session.needs_reauthentication and not asks):
        return ask_first()
    return None


@account.after_request
def keep_to_yourself(response: FlaskResponse) -> FlaskResponse:
    """Have no copy of these pages kept, that another user of the browser could go back to."""
    response.headers["Cache-Control"] = "no-store"
    return response


def known_name() -> str | None:
    """Return whose account it is, if only while the session is withheld.

    None for visitors who gave no password, as in the races.
    """
    if session.needs_reauthentication:
        return session.withheld_user_id
    return session.user_id if "password" in session.methods else None


@account.app_errorhandler(ReauthenticationRequired)
def ask_first(_error: ReauthenticationRequired | None = None) -> Response:
    """Have visitors confirm who they are, or sign in; and then come back."""
    form = "visitor.sign_in_form" if known_name() is None else ".confirm_form"
    has_page = request.method == "GET" or request.endpoint == "account.change_password"
    back = request.path if has_page else url_for(".devices")
    return redirect(url_for(form, next=back), 303)


@account.get("/confirm")
def confirm_form() -> Page:
    """Ask for the password again."""
    return ask_to_confirm()


@account.post("/confirm")
def confirm() -> Response | Page:
    """Take the password again, and go back to what asked for it."""
    check_csrf_token()
    if accounts().verified(known_name() or "", request.form.get("password", "")) is None:
        return ask_to_confirm("That is not your password.")
    session.reauthenticated(methods=("password",))
    return redirect(local(request.args.get("next")) or url_for(".devices"), 303)


@account.get("/")
def devices() -> str:
    """Show where the user is signed in; of sessions in cookies nobody knows."""
    views = (devices, end, end_all_others) if is_listed() else (end_all_others, end_all_mine)
    return render_template(
        "devices.html",
        devices=sessions_of(known_name() or "") if is_listed() else None,
        to_end=TO_END_DEVICES,
        to_change=TO_CHANGE_PASSWORD,
        source="\n\n".join(inspect.getsource(each).rstrip() for each in views),
    )


def is_listed() -> bool:
    """Return whether sessions can be listed."""
    return isinstance(current_app.session_interface, StoredSessionInterface)


@account.post("/end")
@require_fresh(within=TO_END_DEVICES)
def end() -> Response:
    """Sign one device out."""
    check_csrf_token()
    if not is_listed():
        abort(404, "Sessions in cookies are listed nowhere.")
    if end_session(known_name() or "", request.form.get("handle", "")):
        flash("That device is signed out.", "done")
    else:
        flash("That device was signed out already.", "done")
    return redirect(url_for(".devices"), 303)


@account.post("/end-others")
@require_fresh(within=TO_END_DEVICES)
def end_all_others() -> Response:
    """Sign all devices out but this one."""
    check_csrf_token()
    ended = end_others()
    flash(f"Signed out {number_of_devices(ended)}. This is the only one now.", "done")
    return redirect(url_for(".devices"), 303)


@account.post("/end-all")
@require_fresh(within=TO_END_DEVICES)
def end_all_mine() -> Response:
    """Sign all devices out, with this one."""
    check_csrf_token()
    end_user(known_name() or "")
    return redirect(url_for("shop.index"), 303)


@account.get("/password")
@require_fresh(within=TO_CHANGE_PASSWORD)
def password_form() -> Page:
    """Ask for a new password."""
    return ask_for_password()


@account.post("/password")
@require_fresh(within=TO_CHANGE_PASSWORD)
def change_password() -> Response | Page:
    """Change the password, and sign out whoever may know the old one."""
    check_csrf_token()
    password = request.form.get("password", "")
    if problem := problem_with_password(password):
        return ask_for_password(problem)
    accounts().change_password(known_name() or "", password)
    ended = end_others()
    session.regenerate()
    flash(f"Your password is changed. Signed out elsewhere: {number_of_devices(ended)}.", "done")
    return redirect(url_for(".devices"), 303)


def ask_to_confirm(problem: str | None = None) -> Page:
    """Return the form that takes the password again."""
    page = render_template(
        "confirm.html",
        name=known_name(),
        problem=problem,
        next=local(request.args.get("next")),
        source=inspect.getsource(confirm).rstrip(),
    )
    return page, HTTPStatus.OK if problem is None else REFUSED


def ask_for_password(problem: str | None = None) -> Page:
    """Return the form that takes a new password."""
    page = render_template(
        "password.html",
        problem=problem,
        within=TO_CHANGE_PASSWORD,
        shortest=SHORTEST_PASSWORD,
        longest=LONGEST_PASSWORD,
        source="\n\n".join(
            inspect.getsource(each).rstrip() for each in (change_password, ask_first)
        ),
    )
    return page, HTTPStatus.OK if problem is None else REFUSED


def number_of_devices(number: int | None) -> str:
    """Return a number of devices in words; None if nobody could count them."""
    if number is None:
        return "all other devices"
    return f"{number or 'no'} device{'' if number == 1 else 's'}"
