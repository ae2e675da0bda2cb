"""Connections to one file of SQLite: for threads and forks, and for no longer than agreed.

Each thread reads by a connection of its own. Writing, which SQLite does one after the other, the
threads of a process share two connections: one whose commits reach the disk at once, and one whose
commits do so with the next checkpoint. (They are two because a statement that changes how durable
commits are does so when it is compiled, so that it can't be kept prepared.)

None is open across a fork. SQLite notes for a whole process which locks of a file it holds, and a
forked one has the notes but not the locks (https://www.sqlite.org/howtocorrupt.html, 2.6): to open
new connections there is as dangerous as to use the old ones. So all are closed before a fork.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from holdfast.errors import StoreUnavailable

_FIRST_PAUSE, _LONGEST_PAUSE = 0.0005, 0.01
# At a million sessions reading by memory map takes a third less time; that of pages in the log
# and of those beyond it is as without.
_MMAP_BYTES = 1 << 30

_REASONS = {
    sqlite3.SQLITE_PERM: "the file's permissions forbid it",
    sqlite3.SQLITE_NOMEM: "memory ran out",
    sqlite3.SQLITE_READONLY: "the file or its folder is read-only",
    sqlite3.SQLITE_IOERR: "the disk reported an error",
    sqlite3.SQLITE_CORRUPT: "the file is damaged",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_CANTOPEN: "the file can't be opened",
    sqlite3.SQLITE_PROTOCOL: "the file's locks don't work",
    sqlite3.SQLITE_NOTADB: "the file is not a database",
}
_BUSY = sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED


class _Reader:
    """A thread's connection; it is closed when the thread has ended."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.connection: sqlite3.Connection | None = None

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    __del__ = close


class Connections:
    """Runs single statements on a file; raises :exc:`StoreUnavailable` for what is no bug.

    ``timeout``
        Seconds after which a statement that other processes or threads keep waiting gives up.
    """

    def __init__(self, path: Path, timeout: float) -> None:
        self._path = path
        # Without mode=rw a file that someone removed would be made again, empty.
        self._uri = f"file:{quote(str(path))}?mode=rw"
        self._timeout = timeout
        self._readers: weakref.WeakSet[_Reader] = weakref.WeakSet()
        self._writers: dict[bool, sqlite3.Connection] = {}
        self._make_locks()
        _followed[id(self)] = self

    def _make_locks(self) -> None:
        self._reader_of = threading.local()
        self._registering = threading.Lock()
        self._writing = threading.Lock()

    def read(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """Run a statement that reads; return its rows."""
        try:
            reader: _Reader = self._reader_of.reader
        except AttributeError:
            reader = self._register()
        with reader.lock:
            connection = reader.connection
            if connection is None:
                connection = reader.connection = self._open(durable=False)
            rows: list[Any] = self._run(connection, sql, values).fetchall()
            return rows

    def write(
        self, sql: str, values: Sequence[Any] = (), *, durable: bool = False, wait: bool = True
    ) -> int:
        """Run a statement that writes, and commit it; return how many rows it wrote.

        ``durable``
            Whether it is on the disk when this returns.
        ``wait``
            Whether to wait while others write.
        """
        deadline = time.monotonic() + (self._timeout if wait else 0)
        if not self._writing.acquire(timeout=self._timeout if wait else 0):
            raise StoreUnavailable(self._too_busy())
        try:
            connection = self._writers.get(durable)
            if connection is None:
                connection = self._writers[durable] = self._open(durable=durable)
            return self._run(connection, sql, values, deadline).rowcount
        finally:
            self._writing.release()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Give a new connection inside of a transaction that writes, for several statements."""
        deadline = time.monotonic() + self._timeout
        connection = self._open(durable=True)
        try:
            self._run(connection, "BEGIN IMMEDIATE", (), deadline)
            # For the commit, which waits for readers as long as there is no log.
            connection.execute(f"PRAGMA busy_timeout = {int(self._timeout * 1000)}")
            with connection:
                yield connection
        except sqlite3.Error as error:
            raise self._unavailable(error) from error
        finally:
            connection.close()

    def close(self) -> None:
        """Close all connections; whatever is asked next opens new ones."""
        with self.closed():
            pass

    @contextlib.contextmanager
    def closed(self) -> Iterator[None]:
        """Close all connections, and let nobody open another meanwhile.

        One that is in use for longer than the timeout is passed over.
        """
        held: list[threading.Lock] = []

        def hold(lock: threading.Lock) -> bool:
            taken = lock.acquire(timeout=self._timeout)
            if taken:
                held.append(lock)
            return taken

        try:
            if hold(self._writing):
                while self._writers:
                    self._writers.popitem()[1].close()
            hold(self._registering)
            for reader in list(self._readers):
                if hold(reader.lock):
                    reader.close()
            yield
        finally:
            for lock in held:
                lock.release()

    def forget(self) -> None:
        """Begin anew in a forked process, without whatever could not be closed before."""
        for reader in list(self._readers):
            if reader.connection is not None:
                _abandoned.append(reader.connection)
                reader.connection = None
        _abandoned.extend(self._writers.values())
        self._writers.clear()
        self._make_locks()

    def _register(self) -> _Reader:
        reader = _Reader()
        with self._registering:
            self._readers.add(reader)
        self._reader_of.reader = reader
        return reader

    def _open(self, *, durable: bool) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(
                self._uri, uri=True, timeout=0, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise self._unavailable(error) from error
        try:
            self._run(connection, f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._run(connection, f"PRAGMA mmap_size = {_MMAP_BYTES}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _run(
        self,
        connection: sqlite3.Connection,
        sql: str,
        values: Sequence[Any] = (),
        deadline: float | None = None,
    ) -> sqlite3.Cursor:
        try:
            return connection.execute(sql, values)
        except sqlite3.Error as error:
            if code_of(error) not in _BUSY:
                raise self._unavailable(error) from error
        if deadline is None:
            deadline = time.monotonic() + self._timeout
        # SQLite's own way of waiting begins with 1 ms and goes on to 100: too long for what others
        # do in 50 µs, and too uneven.
        pause = _FIRST_PAUSE
        while (left := deadline - time.monotonic()) > 0:
            time.sleep(min(pause, left))
            pause = min(pause * 2, _LONGEST_PAUSE)
            try:
                return connection.execute(sql, values)
            except sqlite3.Error as error:
                if code_of(error) not in _BUSY:
                    raise self._unavailable(error) from error
        raise StoreUnavailable(self._too_busy())

    def _too_busy(self) -> str:
        return f"{self._path} was locked by others for {self._timeout:g} seconds"

    def _unavailable(self, error: sqlite3.Error) -> Exception:
        code = code_of(error)
        if code in _BUSY:
            return StoreUnavailable(self._too_busy())
        if code in _REASONS:
            return StoreUnavailable(f"{self._path}: {_REASONS[code]} ({error})")
        return error


def code_of(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code; 0 where the error is not SQLite's own."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


_followed: weakref.WeakValueDictionary[int, Connections] = weakref.WeakValueDictionary()
_abandoned: list[sqlite3.Connection] = []  # closed in a forked process, they would cost the parent
_forking: dict[int, contextlib.ExitStack] = {}  # by thread: several may fork at once


def _all() -> list[Connections]:
    # In one step, for other threads may add some.
    return [one for reference in _followed.valuerefs() if (one := reference()) is not None]


def _before_fork() -> None:
    stack = _forking[threading.get_ident()] = contextlib.ExitStack()
    for connections in _all():
        stack.enter_context(connections.closed())


def _after_fork() -> None:
    with _forking.pop(threading.get_ident(), contextlib.ExitStack()):
        pass


def _after_fork_in_child() -> None:
    _forking.clear()
    for connections in _all():
        connections.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child
    )
