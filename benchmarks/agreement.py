"""Find out whether two interfaces do the same, before it is asked which does it faster."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask import Flask
    from werkzeug.test import TestResponse

_EXPIRY = re.compile(r"Expires=[^;]+ GMT")


class Disagreement(Exception):  # between the two, not an error of either
    """Two interfaces answered the same request differently."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What the cookie of a request holds, and what the response's holds; None: sets no cookie."""

    held: dict[str, Any]
    sent: dict[str, Any] | None


def check(apps: dict[str, Flask], environ: dict[str, Any], expected: Expected) -> None:
    """Take one request through all applications, twice; raises :exc:`Disagreement`.

    ``apps`` have Flask's own interface under ``flask``, one that does nothing under ``nothing``.
    """
    path = environ["PATH_INFO"]
    for _ in range(2):
        shown = {name: _send(app, environ) for name, app in apps.items()}
        nothing = shown.pop("nothing")
        for name, response in shown.items():
            where = f"at {path} with {name},"
            same(f"{where} the status", response.status, nothing.status)
            same(f"{where} the body", response.data, nothing.data)
            same(f"{where} the list of headers", _headers(response), _headers(shown["flask"]))
            sent = _read(apps["flask"], response.headers.get("Set-Cookie"))
            same(f"{where} the session sent", sent, expected.sent)
            read = _send(apps[name], environ | {"PATH_INFO": "/contents"}).json
            same(f"{where} the session read", read, expected.held)


def same(what: str, found: object, expected: object) -> None:
    """Raise :exc:`Disagreement` unless two values are equal."""
    if found != expected:
        msg = f"{what} is {found!r}, not {expected!r}"
        raise Disagreement(msg)


def _send(app: Flask, environ: dict[str, Any]) -> TestResponse:
    return app.test_client(use_cookies=False).open(environ.copy())


def _headers(response: TestResponse) -> list[tuple[str, str]]:
    """Return the headers, sorted; of Set-Cookie without its value and moment of expiry."""
    return sorted(
        (name, _EXPIRY.sub("Expires", value.partition(";")[2]) if name == "Set-Cookie" else value)
        for name, value in response.headers
    )


def _read(app: Flask, set_cookie: str | None) -> dict[str, Any] | None:
    """Return what Flask reads in a Set-Cookie header."""
    if set_cookie is None:
        return None
    token = set_cookie.partition(";")[0].partition("=")[2]
    serializer = app.session_interface.get_signing_serializer(app)
    with app.app_context():
        contents: dict[str, Any] = serializer.loads(token)
    return contents
