"""A small shop whose session lives in a signed cookie, and a page that shows that cookie.

``script/demo`` runs it at http://127.0.0.1:5000. This file puts the application together and
serves it; what it does with the session stands in ``shop.py``.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import secrets
import signal
import socket
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import click
from cookie_page import cookie_page, held_cookie
from flask import Flask, Response, abort, render_template, request
from shop import count, money, shop
from werkzeug.exceptions import HTTPException
from werkzeug.serving import make_server

from holdfast.flask import Holdfast

HERE = Path(__file__).resolve().parent
HOST = "127.0.0.1"
UNRESERVED = 1024  # the first port that anybody may use
HIGHEST_PORT = 65535


def create_app(instance: Path = HERE / "instance") -> Flask:
    """Return the application; ``instance`` is the folder where its secret key is kept."""
    app = Flask("demo", root_path=str(HERE), instance_path=str(instance))
    app.config.update(
        SECRET_KEY=secret_key(instance / "secret_key"),
        # Browsers keep the cookies of all ports of a host together; a name of its own avoids a mix.
        SESSION_COOKIE_NAME="holdfast_demo",
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=timedelta(days=30),
        # A cookie is then written when the session changes and at no other time, so that the page
        # that shows it can tell an age.
        SESSION_REFRESH_EACH_REQUEST=False,
    )
    Holdfast(app)
    app.register_blueprint(shop)
    app.register_blueprint(cookie_page)
    app.before_request(refuse_foreign_posts)
    app.after_request(add_headers)
    app.register_error_handler(HTTPException, show_error)
    app.add_template_filter(money)
    app.context_processor(lambda: {"cart_count": count(), "held": held_cookie()})
    return app


def secret_key(path: Path) -> str:
    """Return the key that signs the cookies, made at the first start and kept for the next ones."""
    try:
        return path.read_text("ascii")
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    key = secrets.token_hex()
    with open(
        path, "x", encoding="ascii", opener=lambda p, flags: os.open(p, flags, 0o600)
    ) as file:
        file.write(key)
    return key


def refuse_foreign_posts() -> None:
    """Refuse forms that another site sent in the user's name (CSRF).

    SameSite=Lax already keeps the cookie away from such requests. It counts every port of a host as
    one site, though, and does not guard the sign-in form, which needs no cookie; what browsers say
    of a request's origin does both, and needs no token in the session.
    """
    if request.method in {"GET", "HEAD", "OPTIONS"}:
        return
    site = request.headers.get("Sec-Fetch-Site")
    if site is None:  # an older browser, or none at all
        origin = request.headers.get("Origin")
        foreign = origin is not None and urlsplit(origin).netloc != request.host
    else:
        foreign = site not in {"same-origin", "none"}
    if foreign:
        abort(403, "This form was sent from another site.")


def add_headers(response: Response) -> Response:
    """Allow pages nothing but their own styles, pictures and forms."""
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    return response


def show_error(error: HTTPException) -> tuple[str, int]:
    """Show an error as a page of the shop."""
    return render_template("error.html", error=error), error.code or 500


def listen(port: int) -> socket.socket:
    """Return a socket that listens on ``port``; raises :exc:`click.ClickException`."""
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            why = "is taken by another program"
        elif error.errno == errno.EACCES:
            why = "is reserved for the system"
        else:
            why = f"can't be used ({error.strerror})"
        other = port + 1 if UNRESERVED <= port < HIGHEST_PORT else 8000
        msg = f"Port {port} {why}. Choose another one, for example: --port {other}"
        raise click.ClickException(msg) from error


def port_number(text: str) -> int:
    """Return the port that ``text`` names; raises :exc:`click.BadParameter`."""
    if not re.fullmatch("[0-9]{1,5}", text) or int(text) > HIGHEST_PORT:
        msg = f"a port is a whole number from 0 to {HIGHEST_PORT}, not {text[:20]!r}."
        raise click.BadParameter(msg)
    return int(text)


@click.command()
@click.option(
    "--port",
    metavar="N",
    default="5000",
    show_default=True,
    callback=lambda _context, _option, value: port_number(value),
    help="Where to listen; 0 takes any free port.",
)
def main(port: int) -> None:
    """Show Holdfast at work: a shop, a cart, and the cookie that holds it."""
    # Said outright, since a shell starts what runs in the background with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        serve(port)
    click.echo("Stopped.")


def serve(port: int) -> None:
    """Serve until interrupted."""
    try:
        app = create_app()
    except OSError as error:
        msg = f"The secret key can't be kept in {error.filename}: {error.strerror}."
        raise click.ClickException(msg) from error
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # no line for every request
    with listen(port) as listening:
        port = listening.getsockname()[1]
        server = make_server(HOST, port, app, threaded=True, fd=listening.fileno())
        click.echo(f"The Holdfast demo is at http://{HOST}:{port} (Ctrl-C stops it)")
        server.serve_forever()


if __name__ == "__main__":
    main()
