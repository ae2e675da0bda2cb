"""The file of a SQLite store: where it is, whether it can be used, and what is made in it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from holdfast.errors import ConfigurationError, StoreUnavailable
from holdfast.stores.sqlite_connections import Connections

# What marks the file as one of ours, in its header; and as which version of the schema.
APPLICATION_ID = 0x484F4C44
VERSION = 1

# The data stand last: what is before them is read without the pages that long ones continue on.
# An index on ``expires`` would be written with each request. ``due`` is when it was at first, or
# when a purge last looked: never later than ``expires``, and a purge looks at what is due.
_SCHEMA = (
    """CREATE TABLE session (
        key BLOB NOT NULL UNIQUE,
        secret BLOB NOT NULL,
        version INTEGER NOT NULL,
        created INTEGER NOT NULL,
        seen INTEGER NOT NULL,
        expires INTEGER NOT NULL,
        due INTEGER NOT NULL,
        rotated INTEGER NOT NULL,
        previous BLOB NOT NULL,
        previous_until INTEGER NOT NULL,
        ended INTEGER NOT NULL,
        user_id TEXT,
        client TEXT NOT NULL,
        data BLOB NOT NULL
    )""",
    "CREATE INDEX session_due ON session (due)",
    "CREATE INDEX session_user ON session (user_id) WHERE user_id IS NOT NULL",
    "CREATE TABLE purging (since INTEGER NOT NULL)",
    "INSERT INTO purging VALUES (0)",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {VERSION}",
)
_IN_MEMORY = (
    "SQLite's :memory: is lost with its connection; for sessions in memory use memory://, or"
    " MemoryStore"
)


def path_of(url: str, folder: Path | None) -> Path:
    """Return the path in a sqlite:// URL; a relative one lies in ``folder``, which is made.

    Raises :exc:`ConfigurationError` where there is none, or a host.
    """
    if ":memory:" in url:
        raise ConfigurationError(_IN_MEMORY)
    parts = urlsplit(url)
    path = unquote(parts.path.removeprefix("/"))
    if parts.netloc:
        # What stands there may be a password: only a plain name is repeated.
        name = parts.netloc if parts.netloc.replace(".", "").replace("_", "").isalnum() else "…"
        msg = (
            "a sqlite:// URL has no host: write three slashes for a path relative to the"
            f" application's folder, sqlite:///{name}, or four for an absolute one"
        )
        raise ConfigurationError(msg)
    if not path:
        msg = (
            "a sqlite:// URL needs a path: sqlite:///sessions.db; for sessions in memory use"
            " memory://"
        )
        raise ConfigurationError(msg)
    if parts.fragment or "\0" in path:
        msg = "in the path of a sqlite:// URL write # as %23, and no character 0"
        raise ConfigurationError(msg)
    if folder is None or Path(path).is_absolute():
        return Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"the folder {folder} can't be made: {error.strerror}"
        raise ConfigurationError(msg) from error
    return folder / path


def checked(path: str | Path) -> Path:
    """Return an absolute path where a file can be made and written; makes it, empty, if missing.

    Raises :exc:`ConfigurationError` if not.
    """
    if not isinstance(path, str | Path):
        msg = f"the path of the sessions' file must be text or a Path, not {type(path).__name__}"
        raise ConfigurationError(msg)
    if str(path) == ":memory:":
        raise ConfigurationError(_IN_MEMORY)
    file = Path(path).absolute()
    if os.name == "posix" and file.root == "//":
        # To SQLite what follows two slashes is a host.
        file = Path("/", *file.parts[1:])
    if not file.parent.is_dir():
        msg = f"the folder {file.parent} of the sessions' file does not exist; make it first"
        raise ConfigurationError(msg)
    try:
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        msg = f"the sessions' file {file} can't be opened for writing: {error.strerror}"
        raise ConfigurationError(msg) from error
    except ValueError as error:
        msg = f"{str(file)!r} can't be the path of a file: {error}"
        raise ConfigurationError(msg) from error
    # The log and its index are made and removed beside the file.
    if not os.access(file.parent, os.W_OK | os.X_OK):
        msg = f"the folder {file.parent} of the sessions' file must be writable"
        raise ConfigurationError(msg)
    return file


def prepare(path: Path, connections: Connections) -> None:
    """Make the tables in an empty file; check that another file is one of this version.

    Safe from several processes at once. Raises :exc:`ConfigurationError` if it is not.
    """
    try:
        if _header(connections.read) != (APPLICATION_ID, VERSION):
            with connections.transaction() as connection:
                _make_tables(path, connection)
        mode = connections.read("PRAGMA journal_mode = WAL")
    except StoreUnavailable as error:
        if getattr(error.__cause__, "sqlite_errorcode", 0) == sqlite3.SQLITE_NOTADB:
            msg = f"{path} is not a database of SQLite; give the sessions a file of their own"
            raise ConfigurationError(msg) from error
        raise
    if mode != [("wal",)]:
        msg = (
            f"the file system of {path} has no shared memory for SQLite's log, as those of a"
            " network; put the sessions' file on a local disk"
        )
        raise ConfigurationError(msg)
    # Each that is opened from here on begins with the log, which is how it is known whose that is.
    connections.close()


def _make_tables(path: Path, connection: sqlite3.Connection) -> None:
    application, version = _header(lambda sql: connection.execute(sql).fetchall())
    if (application, version) == (APPLICATION_ID, VERSION):
        return  # another process came first
    if application == APPLICATION_ID:
        msg = (
            f"{path} was made by another version of Holdfast, whose schema is {version} where this"
            f" one's is {VERSION}; use that version, or another file"
        )
        raise ConfigurationError(msg)
    [tables] = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application or version or tables:
        msg = f"{path} belongs to another application; give the sessions a file of their own"
        raise ConfigurationError(msg)
    for statement in _SCHEMA:
        connection.execute(statement)


def _header(rows_of: Callable[[str], list[Any]]) -> tuple[int, int]:
    return rows_of("PRAGMA application_id")[0][0], rows_of("PRAGMA user_version")[0][0]
