"""The application that the simulated users visit: each request says what its view is to do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import flask
from werkzeug.http import parse_cookie

from holdfast import Event, OnIdle, Policy
from holdfast.core.store import Store
from holdfast.flask import Holdfast, end_others, end_session, session, sessions_of

Step = tuple[Any, ...]
"""The name of one of ``STEPS``, and what it is given."""


def policy(pace: int) -> Policy:
    """Return a policy of times so short that all of them pass within ``8 * pace`` seconds."""
    return Policy(
        idle=timedelta(seconds=4 * pace),
        absolute=timedelta(seconds=8 * pace),
        on_idle=OnIdle.REAUTHENTICATE,
        touch_every=timedelta(seconds=pace),
        renew_every=timedelta(seconds=2 * pace + 1),
        grace=timedelta(seconds=2 * pace),
        in_flight=timedelta(seconds=2 * pace),
        max_per_user=4,
    )


def write(key: str, value: str) -> None:
    session[key] = value


def add(key: str) -> None:
    session.apply(key, lambda number: number + 1, 0)


def log_in(user: str) -> None:
    session.log_in(user, ("password",))


def change_password() -> int:
    """End the user's other sessions, and have this one go on under a new token."""
    session.reauthenticated(("password",))
    return end_others()


def devices(user: str) -> list[str]:
    return [each.handle for each in sessions_of(user)]


STEPS: dict[str, Callable[..., Any]] = {
    "write": write,
    "add": add,
    "log in": log_in,
    "log out": lambda: session.log_out(),  # noqa: PLW0108  # it has its methods in requests alone
    "again": lambda: session.reauthenticated(("password",)),
    "change password": change_password,
    "devices": devices,
    "end": end_session,
}


def page() -> Any:
    """Tell what the session was, and do what the request says."""
    found = {
        "user": session.user_id,
        "withheld": session.withheld_user_id,
        "data": {key: value for key, value in session.items() if key != "_user_id"},
        "fresh": session.is_fresh(timedelta(days=1)),
    }
    results = [STEPS[name](*given) for name, *given in flask.request.json]
    return {"found": found, "results": results}


class Pages:
    """A Flask application on a store, in which sessions are sealed or not."""

    def __init__(
        self, store: Store, pace: int, listener: Callable[[Event], object], *, seal: bool = False
    ) -> None:
        self.app = flask.Flask(__name__)
        self.app.testing = True  # what a view raises is raised here
        self.app.secret_key = "a secret key of all processes: 77c2"
        Holdfast(self.app, store=store, policy=policy(pace), seal=seal, listeners=[listener])
        self.app.post("/")(page)

    def send(self, cookie: str | None, steps: tuple[Step, ...]) -> tuple[Any, str | None]:
        """Send a request; return its answer and what it sets the cookie to: "" drops it."""
        response = self.app.test_client(use_cookies=False).post(
            "/", json=steps, headers={} if cookie is None else {"Cookie": f"session={cookie}"}
        )
        headers = response.headers.getlist("Set-Cookie")
        cookie = parse_cookie(headers[0])["session"] if headers else None
        if response.status_code != 200:
            return response.get_data(as_text=True), cookie
        return response.json, cookie
