"""What ``flask sessions`` does; it prints, and ``manage.py`` decides."""

from __future__ import annotations

import time

import click
import flask
from flask.cli import AppGroup

from holdfast import manage
from holdfast.errors import HoldfastError
from holdfast.flask.stored import StoredSessionInterface

sessions_commands = AppGroup("sessions", help="Look after stored sessions.")


@sessions_commands.command("purge")
def purge() -> None:
    """Remove the sessions that have expired."""
    interface = flask.current_app.session_interface
    if not isinstance(interface, StoredSessionInterface):
        msg = "this application's sessions are not in a store of Holdfast's"
        raise click.ClickException(msg)
    now = int(time.time())
    removed = 0
    try:
        expired = manage.count_expired(interface.store, now)
        if expired is None:
            click.echo("This store removes expired sessions by itself.")
            return
        with click.progressbar(length=expired, label="Removing expired sessions") as bar:
            for batch in manage.purge(interface.store, now):
                removed += batch
                bar.update(batch)
    except HoldfastError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{removed} removed.")
