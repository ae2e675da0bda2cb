"""From a URL to an engine of SQLAlchemy whose every command has a time limit."""

from __future__ import annotations

import select
import ssl
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, exc, make_url
from sqlalchemy.pool import ConnectionPoolEntry

from holdfast.errors import ConfigurationError
from holdfast.stores.urls import duration, parameters, purge_every

_DRIVERS = {
    "postgresql": "postgresql+pg8000",
    "postgres": "postgresql+pg8000",
    "postgresql+pg8000": "postgresql+pg8000",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "mysql+pymysql": "mysql+pymysql",
    "mariadb+pymysql": "mysql+pymysql",
}
_OF_STORE: dict[str, Callable[[str], Any]] = {
    "table": str,
    "timeout": lambda value: duration("timeout", value),
    "purge_every": purge_every,
}
_OF_DRIVER = ("sslmode", "sslrootcert")
_SSL_MODES = ("disable", "require", "verify-full")
_CONNECTIONS = 16
# Seconds: before most firewalls forget a connection on which nothing is said.
_RECYCLE_AFTER = 300


def read_url(text: str) -> tuple[URL, dict[str, Any]]:
    """Return where a URL leads, ``sslmode`` and ``sslrootcert`` included, and the store's settings.

    Raises ConfigurationError, without a password in it, for all that is wrong there.
    """
    try:
        url = make_url(text)
    except (exc.ArgumentError, ValueError):
        message = (
            "the URL of a database can't be read; it must be like"
            " postgresql://user:password@host:5432/database"
        )
        raise ConfigurationError(message) from None
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        message = (
            f"{url.drivername}:// is none of {', '.join(_DRIVERS)}: for other drivers it is not"
            " known how to limit the time of each command; make an engine, and SQLStore(engine)"
        )
        raise ConfigurationError(message)
    for part, value in (("user", url.username), ("host", url.host), ("database", url.database)):
        if not value:
            message = f"the URL of the database names no {part}"
            raise ConfigurationError(message)
    if url.port == 0:
        message = "no server has the port 0: leave it out of the URL of the database"
        raise ConfigurationError(message)
    given = parameters(text, [*_OF_STORE, *_OF_DRIVER])
    settings = {name: _OF_STORE[name](given.pop(name)) for name in _OF_STORE if name in given}
    return url.set(drivername=driver, query=given), settings


def engine_for(url: URL, timeout: timedelta) -> Engine:
    """Return an engine for a URL that ``read_url`` has read.

    Each statement is committed by itself and is one round trip; before one is sent, a connection
    that the server has closed is replaced. Each of these has ``timeout``: waiting for one of the
    16 connections, connecting (each address of the host), and a command.
    """
    seconds = timeout.total_seconds()
    tls = _tls(url.query)
    arguments: dict[str, Any] = {}
    if url.drivername == "mysql+pymysql":
        limits = ("connect_timeout", "read_timeout", "write_timeout")
        arguments |= dict.fromkeys(limits, seconds) | {"autocommit": True}
        if tls:
            _refuse_old_pymysql()
            arguments |= {"ssl": tls}
        elif tls is False:
            arguments |= {"ssl_disabled": True}
    else:
        arguments |= {"timeout": seconds}
        if tls is not None:
            arguments |= {"ssl_context": tls}
    engine = create_engine(
        url.set(query={}),
        connect_args=arguments,
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
        pool_size=_CONNECTIONS,
        max_overflow=0,
        pool_timeout=seconds,
        pool_recycle=_RECYCLE_AFTER,
        pool_use_lifo=True,
        hide_parameters=True,
    )
    if url.drivername == "postgresql+pg8000":
        event.listen(engine, "do_connect", _connect_pg8000)
    event.listen(engine, "checkout", _refuse_closed)
    return engine


def _refuse_old_pymysql() -> None:
    # Imported here, since who uses PostgreSQL need not have it.
    import pymysql  # type: ignore[import-untyped]  # noqa: PLC0415  # it has no types; see above

    if pymysql.VERSION[:2] < (1, 2):
        message = (
            "before version 1.2 PyMySQL goes on without encryption where a server has none,"
            " whatever sslmode says: pip install 'pymysql>=1.2'"
        )
        raise ConfigurationError(message)


def _tls(query: Any) -> ssl.SSLContext | bool | None:
    """Return what ``sslmode`` asks for; None leaves it to the driver, False is none."""
    mode, authority = query.get("sslmode"), query.get("sslrootcert")
    if mode not in (None, *_SSL_MODES):
        message = f"sslmode is one of {', '.join(_SSL_MODES)}, not {mode!r}"
        raise ConfigurationError(message)
    if authority is not None and mode != "verify-full":
        message = "sslrootcert is of use only with sslmode=verify-full"
        raise ConfigurationError(message)
    if mode is None or mode == "disable":
        return None if mode is None else False
    try:
        context = ssl.create_default_context(cafile=authority)
    except OSError as error:
        message = f"sslrootcert can't be read: {error}"
        raise ConfigurationError(message) from error
    if mode == "require":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _connect_pg8000(_: Any, __: Any, positional: Any, named: Any) -> Any:
    # Imported here, since who uses MySQL need not have it.
    from holdfast.stores.sql_pg8000 import PreparingConnection  # noqa: PLC0415

    return PreparingConnection(*positional, **named)


def _refuse_closed(connection: Any, record: ConnectionPoolEntry, _: object) -> None:
    """Have the pool replace a connection on which something can be read.

    Nothing was asked on it, so it is that the server has closed it, or will. What comes of one
    that was opened just now is seen when it is used.
    """
    if record.info.setdefault("is_new", True):
        record.info["is_new"] = False
        return
    # The second is PyMySQL's, which has no public name for it.
    connected = connection if hasattr(connection, "fileno") else connection._sock  # noqa: SLF001  # see above
    if connected is None or _is_readable(connected):
        raise exc.DisconnectionError


def _is_readable(connected: Any) -> bool:
    if not hasattr(select, "poll"):  # as on Windows
        return bool(select.select([connected], [], [], 0)[0])
    # Unlike select, it takes file numbers from 1024 on.
    poll = select.poll()
    poll.register(connected, select.POLLIN)
    return bool(poll.poll(0))
