"""Requests that overlap: the page fires them, and they meet in one session.

Nothing here knows where the session is kept. The same code runs on a stored session and on a
signed cookie, and what is left afterwards differs.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, abort, request

from holdfast.flask import session

races = Blueprint("races", __name__, url_prefix="/races")

LINES = 20
# Seconds: a query of a database, and a report or an upload.
SHORT_WORK = 0.1
LONG_WORK = 2.0

Answer = tuple[str, int]
DONE: Answer = ("", 204)


@races.get("/state")
def state() -> dict[str, Any]:
    """Tell what is in the session now."""
    return {"lines": session.get("lines", []), "name": session.get("name")}


@races.post("/lines/clear")
def clear_lines() -> Answer:
    """Begin without lines."""
    session["lines"] = []
    return DONE


@races.post("/lines/add")
def add_line() -> Answer:
    """Add one line to those in the session, with some work between reading and writing."""
    line = request.form.get("line", 0, type=int)
    if not 1 <= line <= LINES:
        abort(404, "There is no such line.")
    lines = session.setdefault("lines", [])
    time.sleep(SHORT_WORK)
    lines.append(line)
    return DONE


@races.post("/sign-in")
def sign_in() -> Answer:
    """Sign a visitor in, unless somebody is."""
    if "name" not in session:
        session["name"] = "Night shift"
        session["since"] = datetime.now(UTC)
    return DONE


@races.post("/slow")
def slow() -> Answer:
    """Work for long, and only then write to the session that was read at the beginning."""
    reports = session.get("reports", 0)
    time.sleep(LONG_WORK)
    session["reports"] = reports + 1
    return DONE


@races.post("/sign-out")
def sign_out() -> Answer:
    """End the session."""
    session.clear()
    return DONE
