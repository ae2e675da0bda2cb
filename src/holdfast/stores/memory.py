"""Sessions in the memory of one process, for tests and development."""

from __future__ import annotations

import heapq
import os
import threading
import warnings
from collections import OrderedDict
from datetime import timedelta
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from msgspec.structs import replace

from holdfast.core.record import Record, SessionKey
from holdfast.core.store import Page, Purged
from holdfast.errors import ConfigurationError, ForkedMemoryStore
from holdfast.stores.purging import Purging
from holdfast.stores.urls import parameters, whole_number

_FORKED = (
    "this process uses a memory store that another process made: from here on the two have"
    " different sessions, and visitors seem logged out at random. Use a store that processes share,"
    " such as sqlite:///sessions.db"
)


class MemoryStore:
    """Keeps sessions in memory: they end with the process, and no other process has them.

    ``max_sessions``
        How many it keeps, tombstones included. When one more comes, what has expired is removed,
        and if nothing has, the one that was used least recently.
    ``purge_every``
        How often it removes what has expired, after a create; None for never.

    Raises :exc:`ConfigurationError` if they are not positive. Warns of
    :exc:`holdfast.ForkedMemoryStore` when another process than its maker uses it first.
    """

    def __init__(
        self, *, max_sessions: int = 10_000, purge_every: timedelta | None = timedelta(minutes=1)
    ) -> None:
        if type(max_sessions) is not int or max_sessions < 1:
            msg = f"max_sessions must be a positive number of sessions, not {max_sessions!r}"
            raise ConfigurationError(msg)
        self._max_sessions = max_sessions
        self._purging = Purging(self, purge_every)
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._searched = -1
        # The least recently used first.
        self._records: OrderedDict[SessionKey, Record] = OrderedDict()

    @classmethod
    def from_url(cls, url: str, *, folder: Path | None = None) -> Self:
        """Return the store of ``memory://`` or ``memory://?max_sessions=500``."""
        del folder
        parts = urlsplit(url)
        if parts.netloc or parts.path.strip("/"):
            msg = "a memory:// URL has neither host nor path; write memory://"
            raise ConfigurationError(msg)
        given = parameters(url, ("max_sessions",))
        if "max_sessions" in given:
            return cls(max_sessions=whole_number("max_sessions", given["max_sessions"]))
        return cls()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(max_sessions={self._max_sessions})"

    def load(self, key: SessionKey) -> Record | None:
        """Return the record of a key; None where there is none."""
        with self._locked():
            record = self._records.get(key)
            if record is not None:
                self._records.move_to_end(key)
            return record

    def create(self, record: Record) -> bool:
        """Keep a new record; return whether it was kept."""
        with self._locked():
            if record.key in self._records:
                return False
            self._make_room(record.seen)
            self._records[record.key] = _without_contents(record) if record.ended else record
        self._purging.after_create(record)
        return True

    def save(self, record: Record) -> bool:
        """Replace a live record by its next version; return whether that was done."""
        with self._locked():
            stored = self._live(record.key)
            if stored is None or stored.version != record.version - 1:
                return False
            self._records[record.key] = _not_before(record, stored.seen, stored.expires)
            return True

    def touch(self, key: SessionKey, *, seen: int, expires: int) -> bool:
        """Note activity in a live record; return whether there was one."""
        with self._locked():
            stored = self._live(key)
            if stored is None:
                return False
            self._records[key] = _not_before(stored, seen, expires)
            return True

    def retire(self, key: SessionKey, *, ended: int, expires: int) -> bool:
        """Make a tombstone of a live record; return whether there was one."""
        with self._locked():
            stored = self._live(key)
            if stored is None:
                return False
            self._end(stored, ended, expires)
            return True

    def by_user(self, user_id: str) -> list[Record]:
        """Return the live records of a user."""
        with self._locked():
            return [record for record in self._records.values() if record.user_id == user_id]

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
        """End as many of a user's sessions as are more than ``keep``; return their keys."""
        with self._locked():
            counted = [
                record
                for record in self._records.values()
                if record.user_id == user_id and record.expires > ended
            ]
            counted.sort(key=lambda one: (one.seen if least_active else one.created, one.key))
            others = [record for record in counted if record.key != spare]
            gone = others[: max(0, len(counted) - keep)]
            for record in gone:
                self._end(record, ended, expires)
            return [record.key for record in gone]

    def page(self, after: bytes = b"", *, limit: int = 500) -> Page:
        """Return at most ``limit`` live records, by their keys."""
        with self._locked():
            records = list(self._records.values())
        live = [one for one in records if one.key > after and not one.ended]
        found = heapq.nsmallest(limit, live, key=lambda one: one.key)
        return Page(records=found, after=found[-1].key if len(found) == limit else b"")

    def purge(self, now: int, *, limit: int = 500) -> Purged:
        """Remove at most ``limit`` records that expired before ``now``."""
        with self._locked():
            expired = self._expired(now)[:limit]
            lag = max((now - record.expires for record in expired), default=0)
            self._remove(expired)
            return Purged(removed=len(expired), lag=lag)

    def count_expired(self, now: int) -> int:
        """Return how many records could be purged at ``now``."""
        with self._locked():
            return len(self._expired(now))

    def _locked(self) -> threading.Lock:
        process = os.getpid()
        if process != self._process:
            self._process = process
            self._lock = threading.Lock()  # a thread that was not forked may hold the other
            warnings.warn(_FORKED, ForkedMemoryStore, stacklevel=3)
        return self._lock

    def _live(self, key: SessionKey) -> Record | None:
        record = self._records.get(key)
        if record is None or record.ended:
            return None
        self._records.move_to_end(key)
        return record

    def _end(self, stored: Record, ended: int, expires: int) -> None:
        tombstone = _without_contents(replace(stored, ended=ended, expires=expires))
        self._records[stored.key] = tombstone

    def _make_room(self, now: int) -> None:
        if len(self._records) < self._max_sessions:
            return
        if now != self._searched:  # all are looked at: not for each of many in one second
            self._searched = now
            self._remove(self._expired(now))
        while len(self._records) >= self._max_sessions:
            self._records.popitem(last=False)

    def _expired(self, now: int) -> list[Record]:
        return [record for record in self._records.values() if record.expires < now]

    def _remove(self, records: list[Record]) -> None:
        for record in records:
            del self._records[record.key]


def _without_contents(record: Record) -> Record:
    return replace(record, secret=b"", previous=b"", data=b"", user_id=None, client="")


def _not_before(record: Record, seen: int, expires: int) -> Record:
    return replace(record, seen=max(record.seen, seen), expires=max(record.expires, expires))
