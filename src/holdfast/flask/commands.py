"""What ``flask sessions`` does; it prints, and ``manage.py`` decides."""

from __future__ import annotations

import time
from typing import Any

import click
import flask
from flask.cli import AppGroup

from holdfast import manage
from holdfast.errors import StoreUnavailable

sessions_commands = AppGroup("sessions", help="Look after stored sessions.")


@sessions_commands.command("purge")
def purge() -> None:
    """Remove the sessions that have expired."""
    interface: Any = flask.current_app.session_interface
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
    except StoreUnavailable as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{removed} removed.")
