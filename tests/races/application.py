"""The application that is raced: one view, which does with its session what it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import flask
from flask import flash, get_flashed_messages, request
from werkzeug.http import parse_cookie

from holdfast import Event
from holdfast.core.store import Store
from holdfast.flask import Holdfast, session

Step = tuple[Any, ...]
"""The name of one of ``STEPS`` or of a session's methods, or ``wait``; and what it is given."""


@dataclass(frozen=True)
class Answer:
    """What came back for a request: what its steps returned, what it did to the cookie.

    ``cookie`` is None where it was let alone, empty where it was deleted.
    """

    status: int
    values: Any
    cookie: str | None
    events: tuple[Event, ...]

    def told(self, name: str) -> bool:
        """Return whether there was an event of this name."""
        return any(event.name == name for event in self.events)


def put(key: str, inner: str, value: Any) -> None:
    """Set an item of a mapping within the session, in place."""
    session[key][inner] = value


STEPS: dict[str, Callable[..., Any]] = {
    "add": lambda key: session.apply(key, lambda number: number + 1, 0),
    "all": lambda: dict(session.items()),
    "flash": flash,
    "flashed": get_flashed_messages,
    "log in": lambda user: session.update(user_id=user),
    "log out": lambda: session.pop("user_id"),
    "new": lambda: session.new,
    "put": put,
    "set": lambda key, value: session.update({key: value}),
}
"""What is no method of a session."""


class Application:
    """A Flask application on Holdfast, and what its sessions' events were."""

    def __init__(self, store: Store, *, seal: bool = False) -> None:
        self._noted = threading.local()
        self.flask = flask.Flask(__name__)
        self.flask.testing = True  # what a view raises is raised here
        self.flask.secret_key = "a secret key of all processes: 3d07"
        Holdfast(self.flask, store=store, seal=seal, listeners=[self.note])
        self.flask.post("/")(do)

    def note(self, event: Event) -> None:
        """Keep an event for the answer to the request that it is of."""
        self._noted.events.append(event)

    def answer(self, cookie: str | None, steps: list[Step], wait: Callable[[], None]) -> Answer:
        """Send a request; it calls ``wait`` where its steps say so."""
        self._noted.events = []
        response = self.flask.test_client(use_cookies=False).post(
            "/",
            json=steps,
            headers={} if cookie is None else {"Cookie": f"session={cookie}"},
            environ_overrides={"races.wait": wait},
        )
        headers = response.headers.getlist("Set-Cookie")
        assert len(headers) <= 1, headers
        set_to = parse_cookie(headers[0])["session"] if headers else None
        values = response.json if response.is_json else response.text
        return Answer(response.status_code, values, set_to, tuple(self._noted.events))


def do() -> list[Any]:
    """Do what the request says, and return what came of each step."""
    values = []
    for name, *given in request.json:
        if name == "wait":
            step = request.environ["races.wait"]
        else:
            step = STEPS.get(name) or getattr(session, name)
        values.append(step(*given))
    return values
