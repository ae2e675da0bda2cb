"""A small shop whose sessions are stored, and a page where requests race for one of them.

``script/demo`` runs it at http://127.0.0.1:5000; ``--preset`` names the policy of its sessions,
``--seal`` keeps them in sealed cookies, or with ``--store`` seals what is stored, and ``--cookie``
keeps them in signed cookies.
This file puts the application together and serves it; what it does with the session stands in
``shop.py`` and ``races.py``.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
import sqlite3
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path

import click
from account_page import account
from accounts import Accounts
from anatomy import Anatomy, Sealed, ago, in_words
from cookie_page import cookie_page, held_cookie
from flask import Flask, render_template
from guards import add_headers, csrf_token, refuse_foreign_posts
from history import History
from names import names
from passwords import passwords
from ports import HOST, listen, port_number
from presets import PRESETS, policy_of_shop, presets
from races import races
from sealed_page import held_sealed, sealed_page
from session_page import SIGNED, session_page
from shop import count, money, shop
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

from holdfast import ClientNote, ConfigurationError, Policy, StoreUnavailable, log_event
from holdfast.flask import Holdfast

HERE = Path(__file__).resolve().parent
SQLITE = "sqlite:///sessions.db"
ENDED = "sqlite:///ended.db"
# Browsers keep the cookies of all ports of a host together; names of their own avoid a mix.
COOKIE, SIGNED_COOKIE = "holdfast_demo", "holdfast_demo_signed"
PRESET = "secure"


def create_app(
    instance: Path = HERE / "instance",
    store: str | None = SQLITE,
    preset: str = PRESET,
    idle: timedelta | None = None,
    *,
    seal: bool = False,
) -> Flask:
    """Return the demo; the folder ``instance`` keeps its accounts, and its sessions on SQLite.

    ``store`` is where sessions are stored, under the policy ``preset``, if need be with another
    idle time; ``seal`` says whether they are sealed there. With None and ``seal`` they live in
    sealed cookies, and a file keeps which of them were ended. The same shop on signed cookies is
    there too then, beneath ``/signed``, to compare; with neither it is there alone.
    """
    signed = create_shop(instance, SIGNED_COOKIE)
    signed.secret_key = secret_key(instance / "secret_key")
    signed.config["PERMANENT_SESSION_LIFETIME"] = timedelta(days=30)
    # A cookie is then written when the session changes and at no other time, so that the page that
    # shows it can tell an age.
    signed.config["SESSION_REFRESH_EACH_REQUEST"] = False
    keep_sessions(signed, None, None)
    for blueprint in (names, cookie_page):
        signed.register_blueprint(blueprint)
    if store is None and not seal:
        return signed

    app = create_shop(instance, COOKIE)
    app.secret_key = signed.secret_key
    app.config["PRESET"] = preset
    app.extensions["accounts"] = Accounts(instance / "accounts.db")
    client = ClientNote.NONE if store is None else ClientNote.USER_AGENT
    keep_sessions(app, store, policy_of_shop(preset, COOKIE, idle, client), seal=seal)
    app.register_blueprint(passwords)
    if store is None:
        app.register_blueprint(sealed_page)
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {SIGNED: signed})  # type: ignore[method-assign]  # Flask's own way
    return app


def create_shop(instance: Path, cookie: str) -> Flask:
    """Return the shop, without anything yet that knows its sessions or its visitors."""
    app = Flask("demo", root_path=str(HERE), instance_path=str(instance))
    app.config.update(
        SESSION_COOKIE_NAME=cookie,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_USER_KEYS=["name"],
        PRESET=None,
    )
    for blueprint in (shop, account, races, session_page, presets):
        app.register_blueprint(blueprint)
    app.before_request(refuse_foreign_posts)
    app.after_request(add_headers)
    app.register_error_handler(HTTPException, show_error)
    for words in (money, in_words, ago):
        app.add_template_filter(words)
    app.add_template_global(csrf_token)
    return app


def keep_sessions(
    app: Flask, store: str | None, policy: Policy | None, *, seal: bool = False
) -> None:
    """Have the shop's sessions kept in a store, or in cookies, sealed or signed."""
    app.debug = policy is not None and policy.is_for_development
    history = app.extensions["history"] = History()
    sealed = seal and store is None
    Holdfast(
        app,
        store=store,
        seal=seal,
        revocations=ENDED if sealed else None,
        policy=policy,
        listeners=[log_event, history],
    )

    def held() -> Anatomy | Sealed | None:
        if store is not None:
            return None
        return held_sealed() if seal else held_cookie()

    # The cart is counted by the templates: the page that says that the store is away must not ask.
    app.context_processor(
        lambda: {
            "cart_count": count,
            "held": held(),
            "stored": store is not None,
            "sealed": sealed,
            "has_accounts": sealed or store is not None,
        }
    )


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


def show_error(error: HTTPException) -> Response:
    """Show an error as a page of the shop."""
    answer = error.get_response()  # with headers such as Retry-After
    away = error.code == HTTPStatus.SERVICE_UNAVAILABLE  # then not even the header knows a name
    answer.data = render_template("error.html", error=error, away=away)
    return answer


@click.command()
@click.option(
    "--port",
    metavar="N",
    default="5000",
    show_default=True,
    callback=port_number,
    help="Where to listen; 0 takes any free port.",
)
@click.option(
    "--store",
    metavar="URL",
    help=f"Where to store sessions: {SQLITE} (the default), redis://..., memory:// and so on.",
)
@click.option(
    "--seal", is_flag=True, help="Keep sessions in sealed cookies; with --store, seal them there."
)
@click.option("--cookie", is_flag=True, help="Keep sessions in signed cookies instead.")
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    help=f"The policy of stored or sealed sessions, for development; {PRESET} by default.",
)
@click.option(
    "--idle",
    metavar="SECONDS",
    type=click.IntRange(1, 86400),
    help="Another idle time for it; with aal2, to see a session withheld.",
)
def main(  # noqa: PLR0913  # the options
    port: int, store: str | None, *, seal: bool, cookie: bool, preset: str | None, idle: int | None
) -> None:
    """Show Holdfast at work: a shop, a cart, accounts, and requests that race for one session."""
    if cookie and store is not None:
        msg = "--store and --cookie exclude each other: a session is stored, or in its cookie."
        raise click.UsageError(msg)
    if cookie and seal:
        msg = "--cookie is for signed cookies; --seal alone keeps sessions in sealed ones."
        raise click.UsageError(msg)
    if cookie and (preset or idle) is not None:
        msg = "--preset and --idle are for stored or sealed sessions; leave --cookie out."
        raise click.UsageError(msg)
    if store is None and not cookie and not seal:
        store = SQLITE
    # Said outright, since a shell starts what runs in the background with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    idle_time = None if idle is None else timedelta(seconds=idle)
    try:
        policy_of_shop(preset or PRESET, COOKIE, idle_time)
    except ConfigurationError as error:
        raise click.BadParameter(str(error), param_hint="--idle") from error
    with contextlib.suppress(KeyboardInterrupt):
        serve(port, store, preset or PRESET, idle_time, seal=seal)
    click.echo("Stopped.")


def serve(port: int, store: str | None, preset: str, idle: timedelta | None, *, seal: bool) -> None:
    """Serve until interrupted."""
    try:
        app = create_app(store=store, preset=preset, idle=idle, seal=seal)
    except ConfigurationError as error:
        hint = "--seal" if store is None else "--store"
        raise click.BadParameter(str(error), param_hint=hint) from error
    except OSError as error:
        msg = f"The secret key can't be kept in {error.filename}: {error.strerror}."
        raise click.ClickException(msg) from error
    except sqlite3.Error as error:
        msg = f"The accounts can't be kept in {HERE / 'instance'}: {error}."
        raise click.ClickException(msg) from error
    create_tables(app)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # no line for every request
    with listen(port) as listening:
        port = listening.getsockname()[1]
        server = make_server(HOST, port, app, threaded=True, fd=listening.fileno())
        click.echo(f"The Holdfast demo is at http://{HOST}:{port} (Ctrl-C stops it)")
        server.serve_forever()


def create_tables(app: Flask) -> None:
    """Make what a store in a SQL database needs; an application would do so once, elsewhere."""
    create = getattr(getattr(app.session_interface, "store", None), "create_tables", None)
    if create is None:
        return
    try:
        create()
    except StoreUnavailable as error:
        click.echo(f"No tables were made: {error}.", err=True)


if __name__ == "__main__":
    main()
