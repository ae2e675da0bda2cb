"""Where the demo listens, and what is said where it can't."""

from __future__ import annotations

import errno
import re
import socket

import click

HOST = "127.0.0.1"
UNRESERVED = 1024  # the first port that anybody may use
HIGHEST_PORT = 65535


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


def port_number(_context: click.Context, _option: click.Parameter, text: str) -> int:
    """Return the port that ``text`` names; raises :exc:`click.BadParameter`."""
    if not re.fullmatch("[0-9]{1,5}", text) or int(text) > HIGHEST_PORT:
        msg = f"a port is a whole number from 0 to {HIGHEST_PORT}, not {text[:20]!r}."
        raise click.BadParameter(msg)
    return int(text)
