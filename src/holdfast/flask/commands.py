"""What ``flask sessions`` does; it prints, and ``manage.py`` decides."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import ParamSpec

import click
from flask.cli import AppGroup

from holdfast import manage
from holdfast.errors import HoldfastError
from holdfast.flask import devices

P = ParamSpec("P")

sessions_commands = AppGroup("sessions", help="Look after sessions.")


def _explained(command: Callable[P, None]) -> Callable[P, None]:
    """Have a command say in a sentence what is wrong, in place of a traceback."""

    @functools.wraps(command)
    def explained(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except HoldfastError as error:
            raise click.ClickException(str(error)) from error

    return explained


@sessions_commands.command("list")
@click.argument("user_id")
@_explained
def list_(user_id: str) -> None:
    """List the sessions of a user."""
    sessions = devices.sessions_of(user_id)
    for each in sessions:
        seen, created = (f"{at:%Y-%m-%d %H:%M} UTC" for at in (each.last_seen, each.created))
        client = "  ".join(filter(None, (each.client.description, each.client.address)))
        click.echo(f"{each.handle}  seen {seen}  since {created}  {client}".rstrip())
    click.echo(f"{len(sessions)} session{'s' * (len(sessions) != 1)}.")


@sessions_commands.command("end")
@click.argument("user_id")
@click.argument("handle")
@_explained
def end(user_id: str, handle: str) -> None:
    """End one session of a user, by its handle."""
    if not devices.end_session(user_id, handle):
        msg = f"this user has no session {handle}; flask sessions list shows them"
        raise click.ClickException(msg)
    click.echo("Ended.")


@sessions_commands.command("end-user")
@click.argument("user_id")
@_explained
def end_user(user_id: str) -> None:
    """End all sessions of a user."""
    click.echo(_told(devices.end_user(user_id)))


@sessions_commands.command("end-all")
@click.confirmation_option(prompt="This logs everybody out. Go on?")
@_explained
def end_all() -> None:
    """End everybody's sessions."""
    click.echo(_told(devices.end_all()))


def _told(ended: int | None) -> str:
    # Of sessions in cookies nobody knows how many there are.
    return "Ended." if ended is None else f"{ended} ended."


@sessions_commands.command("purge")
@_explained
def purge() -> None:
    """Remove the sessions that have expired."""
    store = devices.store_of_sessions()
    now = int(time.time())
    removed = 0
    expired = manage.count_expired(store, now)
    if expired is None:
        click.echo("This store removes expired sessions by itself.")
        return
    with click.progressbar(length=expired, label="Removing expired sessions") as bar:
        for batch in manage.purge(store, now):
            removed += batch
            bar.update(batch)
    click.echo(f"{removed} removed.")
