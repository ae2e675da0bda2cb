"""Sessions in a file of SQLite: for one machine, with nothing to install.

Each operation is one statement that commits itself, or a transaction that locks first of all, so no
read lock is ever upgraded, which fails at once where another process writes. The log is written
ahead; a commit reaches the disk with the next checkpoint, that of a session's end at once.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Self

from holdfast.core.record import Record, SessionKey
from holdfast.core.store import Page, Purged
from holdfast.errors import StoreUnavailable
from holdfast.stores import sqlite_file
from holdfast.stores.purging import Purging, check_duration
from holdfast.stores.sqlite_connections import Connections
from holdfast.stores.urls import duration, parameters, purge_every as purge_every_of

_COLUMNS = (
    "key, secret, version, created, seen, expires, rotated, previous, previous_until, ended,"
    " user_id, client"
)
_LOAD = f"SELECT {_COLUMNS}, data FROM session WHERE key = ?"  # noqa: S608  # all of it is ours
_CREATE = (
    f"INSERT INTO session ({_COLUMNS}, data, due)"  # noqa: S608  # as above
    f" VALUES ({', '.join('?' * 14)}) ON CONFLICT (key) DO NOTHING"
)
# A column that is named has its index written, whether it changes or not. Few saves change the
# user, and those that don't take a quarter less time so.
_SAVE = (
    "UPDATE session SET secret = ?, version = ?, created = ?, seen = max(seen, ?),"
    " expires = max(expires, ?), rotated = ?, previous = ?, previous_until = ?, client = ?,"
    " data = ? WHERE key = ? AND version = ? AND ended = 0 AND user_id IS ?"
)
_SAVE_OF_ANOTHER_USER = _SAVE.replace("client = ?,", "client = ?, user_id = ?,").replace(
    " AND user_id IS ?", ""
)
_TOUCH = (
    "UPDATE session SET seen = max(seen, ?), expires = max(expires, ?) WHERE key = ? AND ended = 0"
)
_RETIRE = (
    "UPDATE session SET ended = ?, expires = ?, due = ?, secret = x'', previous = x'',"
    " user_id = NULL, client = '', data = x'' WHERE key = ? AND ended = 0"
)
_BY_USER = f"SELECT {_COLUMNS}, x'' FROM session WHERE user_id = ?"  # noqa: S608  # as above
# Those of a user's that are more than are kept, the first to go first.
_COUNTED = "FROM session WHERE user_id = ? AND ended = 0 AND expires > ?"
_SURPLUS = (
    f"SELECT key {_COUNTED} AND key <> ? ORDER BY {{time}}, key"
    f" LIMIT max(0, (SELECT count(*) {_COUNTED}) - ?)"
)
_PAGE = (
    f"SELECT {_COLUMNS}, x'' FROM session"  # noqa: S608  # as above
    " WHERE key > ? AND ended = 0 ORDER BY key LIMIT ?"
)
_DUE = "(SELECT rowid FROM session WHERE due < ? ORDER BY due LIMIT ?)"
_OLDEST = f"SELECT count(*), min(expires) FROM session WHERE rowid IN {_DUE}"  # noqa: S608  # as above
_PURGE = (
    "DELETE FROM session WHERE rowid IN (SELECT rowid FROM session"  # noqa: S608  # as above
    f" WHERE rowid IN {_DUE} AND expires < ? LIMIT ?)"
)
_PUT_OFF = f"UPDATE session SET due = expires WHERE rowid IN {_DUE} AND expires >= ?"  # noqa: S608  # as above
_COUNT_EXPIRED = "SELECT count(*) FROM session WHERE due < ? AND expires < ?"
# Who purges says so for as long; who died while purging is waited for no longer.
_CLAIM_SECONDS = 10
_CLAIM = "UPDATE purging SET since = ? WHERE abs(since - ?) > ?"
_RELEASE = "UPDATE purging SET since = 0"
_BATCH = 100


class SQLiteStore:
    """Keeps sessions in a file, for any number of threads and processes of one machine.

    ``path``
        The file, made with permission 0600 if it is missing; not on a network's file system.
    ``timeout``
        After which an operation that others keep waiting raises :exc:`StoreUnavailable`.
    ``purge_every``
        How often each process removes what has expired, after a create; None for never.

    Raises :exc:`ConfigurationError` where the folder is missing or not writable, and for a file
    that is another application's or a later version's. It may be made before a fork.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        timeout: timedelta = timedelta(seconds=5),
        purge_every: timedelta | None = timedelta(minutes=1),
    ) -> None:
        check_duration("timeout", timeout)
        self._purging = Purging(self, purge_every, self._alone, self._purge_some)
        self.path = sqlite_file.checked(path)
        self._connections = Connections(self.path, timeout.total_seconds(), sqlite_file.prepare)
        sqlite_file.prepare(self.path, self._connections)

    @classmethod
    def from_url(cls, url: str, *, folder: Path | None = None) -> Self:
        """Return the store of ``sqlite:///sessions.db``, in ``folder``, which is made if missing.

        An absolute path has four slashes. Parameters: ``timeout`` in seconds; ``purge_every`` in
        seconds, or ``never``.
        """
        given = parameters(url, ("timeout", "purge_every"))
        path = sqlite_file.path_of(url, folder)
        options: dict[str, Any] = {}
        if "timeout" in given:
            options["timeout"] = duration("timeout", given["timeout"])
        if "purge_every" in given:
            options["purge_every"] = purge_every_of(given["purge_every"])
        return cls(path, **options)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    def load(self, key: SessionKey) -> Record | None:
        """Return the record of a key; None where there is none."""
        rows = self._connections.read(_LOAD, (key,))
        return _record(rows[0]) if rows else None

    def create(self, record: Record) -> bool:
        """Keep a new record; return whether it was kept."""
        ended = bool(record.ended)
        values = (
            record.key,
            record.secret,
            record.version,
            record.created,
            record.seen,
            record.expires,
            record.rotated,
            record.previous,
            record.previous_until,
            record.ended,
            None if ended else record.user_id,
            record.client,
            b"" if ended else record.data,
            record.expires,
        )
        # What has no secret is a limit, which ends sessions too.
        if not self._connections.write(_CREATE, values, durable=ended or not record.secret):
            return False
        self._purging.after_create(record)
        return True

    def save(self, record: Record) -> bool:
        """Replace a live record by its next version; return whether that was done."""
        values = (
            record.secret,
            record.version,
            record.created,
            record.seen,
            record.expires,
            record.rotated,
            record.previous,
            record.previous_until,
            record.client,
        )
        where = record.data, record.key, record.version - 1
        user_id = record.user_id
        write = partial(self._connections.write, durable=not record.secret)
        # Where the first is refused for its version, so is the second: none comes twice.
        return bool(
            write(_SAVE, (*values, *where, user_id))
            or write(_SAVE_OF_ANOTHER_USER, (*values, user_id, *where))
        )

    def touch(self, key: SessionKey, *, seen: int, expires: int) -> bool:
        """Note activity in a live record; return whether there was one."""
        return bool(self._connections.write(_TOUCH, (seen, expires, key)))

    def retire(self, key: SessionKey, *, ended: int, expires: int) -> bool:
        """Make a tombstone of a live record, on the disk; return whether there was one."""
        values = ended, expires, expires, key
        return bool(self._connections.write(_RETIRE, values, durable=True))

    def by_user(self, user_id: str) -> list[Record]:
        """Return the live records of a user, without their data."""
        return [_record(row) for row in self._connections.read(_BY_USER, (user_id,))]

    def cap(  # noqa: PLR0913  # as the protocol has it
        self,
        user_id: str,
        *,
        spare: SessionKey,
        keep: int,
        least_active: bool,
        ended: int,
        expires: int,
    ) -> list[SessionKey]:
        """End as many of a user's sessions as are more than ``keep``, on the disk.

        To find that there are none takes no lock.
        """
        surplus = _SURPLUS.format(time="seen" if least_active else "created")
        values = user_id, ended, spare, user_id, ended, keep
        if not self._connections.read(surplus, values):
            return []
        with self._connections.transaction() as connection:
            keys = [SessionKey(key) for (key,) in connection.execute(surplus, values)]
            connection.executemany(_RETIRE, [(ended, expires, expires, key) for key in keys])
        return keys

    def page(self, after: bytes = b"", *, limit: int = 500) -> Page:
        """Return at most ``limit`` live records without their data, by their keys."""
        found = [_record(row) for row in self._connections.read(_PAGE, (after, limit))]
        return Page(records=found, after=found[-1].key if len(found) == limit else b"")

    def purge(self, now: int, *, limit: int = 500) -> Purged:
        """Remove at most ``limit`` records that expired before ``now``."""
        removed = lag = 0
        more = True
        while more and removed < limit:
            began = time.monotonic()
            purged, more = self._purge_some(now, limit - removed)
            removed += purged.removed
            lag = max(lag, purged.lag)
            if more and removed < limit:
                # Others wait in pauses: without one of ours they would not get in between.
                time.sleep(time.monotonic() - began)
        return Purged(removed=removed, lag=lag)

    def _purge_some(self, now: int, most: int) -> tuple[Purged, bool]:
        """Look at some that are due; return what was removed, and whether more may be due."""
        write = self._connections.write
        [[seen, oldest]] = self._connections.read(_OLDEST, (now, _BATCH))
        removed = 0
        if seen and oldest < now:
            removed = write(_PURGE, (now, _BATCH, now, most))
        if removed < seen:
            write(_PUT_OFF, (now, _BATCH, now))
        purged = Purged(removed=removed, lag=now - oldest if removed else 0)
        return purged, seen == _BATCH or removed == most

    def count_expired(self, now: int) -> int:
        """Return how many records could be purged at ``now``."""
        [[count]] = self._connections.read(_COUNT_EXPIRED, (now, now))
        return int(count)

    def close(self) -> None:
        """Close all connections; whatever is asked next opens new ones."""
        self._connections.close()

    @contextlib.contextmanager
    def _alone(self, now: int) -> Iterator[bool]:
        try:
            alone = self._connections.write(_CLAIM, (now, now, _CLAIM_SECONDS), wait=False)
        except StoreUnavailable:
            alone = 0
        try:
            yield bool(alone)
        finally:
            if alone:
                self._connections.write(_RELEASE)


def _record(row: tuple[Any, ...]) -> Record:
    (
        key,
        secret,
        version,
        created,
        seen,
        expires,
        rotated,
        previous,
        previous_until,
        ended,
        user_id,
        client,
        data,
    ) = row
    return Record(
        key=key,
        secret=secret,
        data=data,
        version=version,
        created=created,
        seen=seen,
        expires=expires,
        rotated=rotated,
        previous=previous,
        previous_until=previous_until,
        ended=ended,
        user_id=user_id,
        client=client,
    )
