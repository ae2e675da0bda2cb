"""Connections to one file of SQLite: for threads and forks, and for no longer than agreed.

Each thread has a connection of its own: a save finds the pages that the load before it read. Its
commits reach the disk with the next checkpoint. Those that have to at once go through one more
connection, which the threads share: the statement that would switch takes effect when it is
compiled, so that it can't be kept prepared.

None is open across a fork. SQLite notes for a whole process which locks of a file it holds, and a
forked one has the notes but not the locks (https://www.sqlite.org/howtocorrupt.html, 2.6): to open
new connections there is as dangerous as to use the old ones. So all are closed before a fork.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import quote

from holdfast.errors import StoreUnavailable
from holdfast.stores.sqlite_watch import Watch

_log = logging.getLogger("holdfast.stores")

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


class _Connection:
    """A connection and who may use it; a thread's own is closed when the thread has ended."""

    def __init__(self, *, durable: bool = False) -> None:
        self.durable = durable
        self.lock = threading.Lock()
        self.opened: sqlite3.Connection | None = None

    def close(self) -> None:
        if self.opened is not None:
            self.opened.close()
            self.opened = None

    __del__ = close


class Connections:
    """Runs single statements on a file; raises :exc:`StoreUnavailable` for what is no bug.

    ``timeout``
        Seconds after which a statement that other processes or threads keep waiting gives up.
    ``prepare``
        Called with the path and connections of their own when another file has the name, before
        that is used; what it raises is raised by each statement then.
    """

    def __init__(
        self, path: Path, timeout: float, prepare: Callable[[Path, Connections], None]
    ) -> None:
        self._path = path
        self._prepare = prepare
        self._watch = Watch(path)
        # Without mode=rw a file that someone removed would be made again, empty.
        self._uri = f"file:{quote(str(path))}?mode=rw"
        self._timeout = timeout
        self._connections: weakref.WeakSet[_Connection] = weakref.WeakSet()
        self._begin()
        _followed[id(self)] = self

    def _begin(self) -> None:
        self._registering = threading.Lock()
        self._looking = threading.Lock()
        # SQLite lets one write at a time: threads queue here, only processes wait in pauses.
        self._writing = threading.Lock()
        self._let_go()

    def _let_go(self) -> None:
        # Connections that are in use meanwhile are closed when they are not.
        self._local = threading.local()
        self._durable = self._register(_Connection(durable=True))

    def read(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """Run a statement that reads; return its rows."""
        connection = self._of_this_thread()
        if connection.opened is None or monotonic() >= self._watch.due:
            self._look()
            connection = self._of_this_thread()
        with connection.lock:
            opened = connection.opened or self._open(connection)
            try:
                return opened.execute(sql, values).fetchall()
            except sqlite3.Error as error:
                return self._try_again(error, opened, sql, values).fetchall()

    def write(
        self, sql: str, values: Sequence[Any] = (), *, durable: bool = False, wait: bool = True
    ) -> int:
        """Run a statement that writes, and commit it; return how many rows it wrote.

        ``durable``
            Whether it is on the disk when this returns.
        ``wait``
            Whether to wait while others write.
        """
        now = monotonic()
        connection = self._durable if durable else self._of_this_thread()
        if connection.opened is None or now >= self._watch.due:
            self._look()
            connection = self._durable if durable else self._of_this_thread()
        timeout = self._timeout if wait else 0
        if not self._writing.acquire(timeout=timeout):
            raise StoreUnavailable(self._too_busy())
        try:
            with connection.lock:
                opened = connection.opened or self._open(connection)
                try:
                    return opened.execute(sql, values).rowcount
                except sqlite3.Error as error:
                    return self._try_again(error, opened, sql, values, now + timeout).rowcount
        finally:
            self._writing.release()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Give a new connection inside of a transaction that writes, for several statements.

        What was written is on the disk when it ends.
        """
        deadline = monotonic() + self._timeout
        if not self._writing.acquire(timeout=self._timeout):
            raise StoreUnavailable(self._too_busy())
        try:
            connection = self._register(_Connection(durable=True))
            with connection.lock:
                opened = self._open(connection)
                try:
                    self._run(opened, "BEGIN IMMEDIATE", (), deadline)
                    # For the commit, which waits for readers as long as there is no log.
                    opened.execute(f"PRAGMA busy_timeout = {int(self._timeout * 1000)}")
                    with opened:
                        yield opened
                except sqlite3.Error as error:
                    raise self._unavailable(error) from error
                finally:
                    connection.close()
        finally:
            self._writing.release()

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
            hold(self._registering)
            for connection in list(self._connections):
                if hold(connection.lock):
                    connection.close()
            yield
        finally:
            for lock in held:
                lock.release()

    def forget(self) -> None:
        """Begin anew in a forked process, without whatever could not be closed before."""
        for connection in list(self._connections):
            if connection.opened is not None:
                _abandoned.append(connection.opened)
                connection.opened = None
        self._begin()

    def _of_this_thread(self) -> _Connection:
        try:
            own: _Connection = self._local.connection
        except AttributeError:
            own = self._local.connection = self._register(_Connection())
        return own

    def _look(self) -> None:
        if not self._looking.acquire(timeout=self._timeout):
            raise StoreUnavailable(self._too_busy())
        try:
            if self._watch.look():
                self._begin_with_another_file()
        finally:
            self._looking.release()

    def _begin_with_another_file(self) -> None:
        watch = Watch(self._path)
        if any(connection.opened for connection in list(self._connections)):
            try:
                self._watch.remove_log()
            except OSError as error:
                msg = f"the log of the file that was {self._path} can't be removed: {error}"
                raise StoreUnavailable(msg) from error
        with contextlib.closing(Connections(self._path, self._timeout, self._prepare)) as theirs:
            self._prepare(self._path, theirs)
        self._watch = watch
        self._let_go()
        _log.warning(
            "%s is another file than before, and used from now on; what was written to the one"
            " before since then is lost",
            self._path,
        )

    def _register(self, connection: _Connection) -> _Connection:
        with self._registering:
            self._connections.add(connection)
        return connection

    def _open(self, connection: _Connection) -> sqlite3.Connection:
        try:
            opened = connection.opened = sqlite3.connect(
                self._uri, uri=True, timeout=0, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise self._unavailable(error) from error
        try:
            self._run(opened, f"PRAGMA synchronous = {'FULL' if connection.durable else 'NORMAL'}")
            self._run(opened, f"PRAGMA mmap_size = {_MMAP_BYTES}")
            self._run(opened, "PRAGMA user_version")  # which opens the log
        except BaseException:
            connection.close()
            raise
        self._watch.note_log()
        return opened

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
            return self._try_again(error, connection, sql, values, deadline)

    def _try_again(
        self,
        error: sqlite3.Error,
        connection: sqlite3.Connection,
        sql: str,
        values: Sequence[Any],
        deadline: float | None = None,
    ) -> sqlite3.Cursor:
        if code_of(error) not in _BUSY:
            raise self._unavailable(error) from error
        if deadline is None:
            deadline = monotonic() + self._timeout
        # SQLite's own way of waiting begins with 1 ms and goes on to 100: too long for what others
        # do in 50 µs, and too uneven.
        pause = _FIRST_PAUSE
        while (left := deadline - monotonic()) > 0:
            time.sleep(min(pause, left))
            pause = min(pause * 2, _LONGEST_PAUSE)
            try:
                return connection.execute(sql, values)
            except sqlite3.Error as again:
                if code_of(again) not in _BUSY:
                    raise self._unavailable(again) from again
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
