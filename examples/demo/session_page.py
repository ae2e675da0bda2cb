"""The page where requests race, and where one sees what the browser and the server keep."""

from __future__ import annotations

import inspect
import json
from base64 import urlsafe_b64decode
from hashlib import sha256
from typing import Any

import races
from flask import Blueprint, current_app, render_template, request

from holdfast.flask import SealedCookieSessionInterface, StoredSessionInterface, session
from holdfast.stores import SessionKey

session_page = Blueprint("session_page", __name__, url_prefix="/session")

SIGNED = "/signed"  # where the same shop keeps its sessions in signed cookies
TOKEN_BYTES, ID_BYTES, TOKEN_LETTERS = 48, 16, 64
SHOWN = 160  # bytes of a sealed record


@session_page.get("/")
def show() -> str:
    """Show the buttons, the visitor's session, and what happens to it."""
    root = request.script_root
    interface = current_app.session_interface
    lanes = [("signed", "Signed cookie", root + "/races/")]
    panel = None
    if isinstance(interface, SealedCookieSessionInterface):
        lanes = [
            ("sealed", "Sealed cookie", root + "/races/"),
            ("signed", "Signed cookie", f"{root}{SIGNED}/races/"),
        ]
    if isinstance(interface, StoredSessionInterface):
        lanes = [
            ("stored", "Stored session", root + "/races/"),
            ("signed", "Signed cookie", f"{root}{SIGNED}/races/"),
        ]
        panel = what_is_kept(interface)
    return render_template(
        "session.html",
        lanes=lanes,
        signed=f"{root}{SIGNED}/cookie",
        lines=races.LINES,
        panel=panel,
        seconds=races.LONG_WORK,
        adding=inspect.getsource(races.add_line).rstrip(),
        leaving="\n\n".join(
            inspect.getsource(view).rstrip() for view in (races.slow, races.sign_out)
        ),
    )


@session_page.get("/events")
def events() -> list[dict[str, Any]]:
    """Tell what happened after the event of a number; this does not look at the session."""
    history = current_app.extensions.get("history")
    return history.since(request.args.get("after", 0, type=int)) if history else []


def what_is_kept(interface: StoredSessionInterface) -> dict[str, Any]:
    """Return what the panel shows of the visitor's session; of the token, only its shape."""
    attributes = ["Path=" + interface.get_cookie_path(current_app)]
    if interface.get_cookie_httponly(current_app):
        attributes.append("HttpOnly")
    if same_site := interface.get_cookie_samesite(current_app):
        attributes.append("SameSite=" + same_site)
    return {
        "cookie": interface.get_cookie_name(current_app),
        "attributes": "; ".join(attributes),
        "letters": TOKEN_LETTERS,
        "id_letters": TOKEN_LETTERS * ID_BYTES // TOKEN_BYTES,
        "id_bytes": ID_BYTES,
        "secret_bytes": TOKEN_BYTES - ID_BYTES,
        "store": type(interface.store).__name__,
        "contents": json.dumps(dict(session), indent=2, ensure_ascii=False, default=str),
        "sealed": interface.seals,
        "record": record_of_visitor(interface),
    }


def record_of_visitor(interface: StoredSessionInterface) -> str | None:
    """Return what the store has of the visitor's session, as whoever reads the store sees it.

    A record is found by the SHA-256 of the id in its token. What is withheld is not shown in clear.
    """
    token = request.cookies.get(interface.get_cookie_name(current_app), "")
    withheld = session.needs_reauthentication and not interface.seals
    if session.new or withheld or len(token) != TOKEN_LETTERS:
        return None
    key = SessionKey(sha256(urlsafe_b64decode(token)[:ID_BYTES]).digest())
    record = interface.store.load(key)
    if record is None:
        return None
    if not interface.seals:
        return record.data.decode(errors="replace")
    more = f" … and {len(record.data) - SHOWN} more" if len(record.data) > SHOWN else ""
    return record.data[:SHOWN].hex(" ") + more
