"""What a store does: the contract, as protocols whose docstrings settle every edge.

A store keeps records and knows nothing of what is in them. All that is missing, refused or ended
is an answer, not an exception; there are two of those:

- :exc:`holdfast.StoreUnavailable`, when the system behind the store can't be reached, does not
  answer within its time limit, or says that it can't serve now. The operation may have been
  performed or not. A store raises it in time, always: it has limits for connecting and for each
  command. It may try to connect again; it repeats a command that was sent only where the system
  said that it has undone it.
- whatever else went wrong in it, as it is: a bug.

Each operation is atomic, touches one key and is one round trip. When it has returned, what it
wrote is there for every process. A store owns its connections, uses none that was opened before
a fork, may be called by several threads at once, and takes no part in the transactions of an
application. No store compares a time with the clock: the callers do.

``holdfast.testing.StoreContract`` tests all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import msgspec

from holdfast.core.record import Record, SessionKey


@runtime_checkable
class Store(Protocol):
    """Where stored sessions are kept."""

    def load(self, key: SessionKey) -> Record | None:
        """Return the record of a key, live or a tombstone; None where there is none.

        One that has expired may still come, or not. Of a tombstone ``key``, ``ended`` and
        ``expires`` are as they were given, ``data`` is empty, and the rest may be anything.
        """
        ...

    def create(self, record: Record) -> bool:
        """Keep a new record, live or a tombstone; return whether it was kept.

        A tombstone is written as durably as :meth:`retire` does. False, and nothing has changed,
        where a record of that key exists, of whatever kind.
        """
        ...

    def save(self, record: Record) -> bool:
        """Replace a record by its next version; return whether that was done.

        It is, if the stored one is live and its version is ``record.version - 1``. ``seen`` and
        ``expires`` become the later of the stored and the given ones; all else is as given.
        False, and nothing has changed, if not. The user is another one only where the secret is
        new, and ``rotated`` is not before ``seen`` then.
        """
        ...

    def touch(self, key: SessionKey, *, seen: int, expires: int) -> bool:
        """Note activity in a live record; return whether there was one.

        ``seen`` and ``expires`` become the later of the stored and the given ones. Nothing else
        changes, ``version`` neither. A tombstone stays as it is.
        """
        ...

    def retire(self, key: SessionKey, *, ended: int, expires: int) -> bool:
        """End a session: make a tombstone of a live record; return whether there was one.

        The tombstone has these times and no data, and belongs to no user. Where there is a
        tombstone already, or nothing, nothing changes. It is written as durably as the store
        can: a session that was ended stays so.
        """
        ...


@runtime_checkable
class AsyncStore(Protocol):
    """The same operations, awaited. A class is either this or a :class:`Store`."""

    async def load(self, key: SessionKey) -> Record | None:
        """Return the record of a key, as :meth:`Store.load`."""
        ...

    async def create(self, record: Record) -> bool:
        """Keep a new record, as :meth:`Store.create`."""
        ...

    async def save(self, record: Record) -> bool:
        """Replace a record by its next version, as :meth:`Store.save`."""
        ...

    async def touch(self, key: SessionKey, *, seen: int, expires: int) -> bool:
        """Note activity in a live record, as :meth:`Store.touch`."""
        ...

    async def retire(self, key: SessionKey, *, ended: int, expires: int) -> bool:
        """End a session, as :meth:`Store.retire`."""
        ...


@runtime_checkable
class ByUser(Protocol):
    """The power to find a user's sessions."""

    def by_user(self, user_id: str) -> Sequence[Record]:
        """Return the live records of a user, in no particular order; ``data`` may be left empty.

        Those that have expired may be among them.
        """
        ...


@runtime_checkable
class Cappable(Protocol):
    """The power to keep a user's sessions down to a number."""

    def cap(  # noqa: PLR0913  # all by keyword
        self,
        user_id: str,
        *,
        spare: SessionKey,
        keep: int,
        least_active: bool,
        ended: int,
        expires: int,
    ) -> Sequence[SessionKey]:
        """End as many of a user's sessions as are more than ``keep``; return their keys.

        Those count that are live and have not expired at ``ended``. The first to go is the one
        with the earliest ``created``, or ``seen`` if ``least_active``, of equals the one with the
        smaller key; the session ``spare``, if it is live, counts and never goes. They become
        tombstones as :meth:`Store.retire` makes them, with these times, as durably.

        Which ones go is decided in one atomic step, in what finds a user's sessions: of several
        that cap one user at once, each counts what another has chosen as gone already, so that
        ``keep`` remain. Where the step and the ending are two, and the process dies between them,
        the next cap ends what was chosen.
        """
        ...


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Some of a store's records, and where to go on; ``after`` is empty when there are no more."""

    records: Sequence[Record]
    after: bytes = b""


@runtime_checkable
class Listable(Protocol):
    """The power to go through all sessions."""

    def page(self, after: bytes = b"", *, limit: int = 500) -> Page:
        """Return about ``limit`` live records, beginning ``after`` what the last page said.

        ``data`` may be left empty. A page may have no records, and others follow it all the same.
        A record that is live from the first page to the last comes at least once; what begins or
        ends meanwhile may come or not. It never keeps the other operations waiting.
        """
        ...


class Purged(msgspec.Struct, frozen=True, kw_only=True):
    """What a purge did.

    ``removed`` is the number of records; ``lag`` for how many seconds the longest expired of
    them had been so: where it grows, purging does not keep up.
    """

    removed: int
    lag: int = 0


@runtime_checkable
class Purgeable(Protocol):
    """The power to remove what has expired, in a store that does not do so by itself."""

    def purge(self, now: int, *, limit: int = 500) -> Purged:
        """Remove at most ``limit`` of the records whose ``expires`` is before ``now``.

        It is safe from several threads and processes at once, and keeps none of the other
        operations waiting for longer than a few hundredths of a second.
        """
        ...

    def count_expired(self, now: int) -> int:
        """Return how many records could be purged at ``now``."""
        ...
