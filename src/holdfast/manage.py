"""What people do with sessions; faces call this, and only print and render.

What concerns a user's sessions asks a store as an engine does: ``drive.run`` has it answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from holdfast.core.cap import living
from holdfast.core.client import Client
from holdfast.core.engine import Engine
from holdfast.core.full_session import FullSession
from holdfast.core.ops import List, OfUser, Retire
from holdfast.core.outcome import Steps
from holdfast.core.record import Record
from holdfast.core.store import Page, Purgeable, Store
from holdfast.errors import NotSignedIn, StoreUnavailable

if TYPE_CHECKING:
    from holdfast.core.revocations import Revocations

# Small, so that no request waits long for its turn.
BATCH = 500
# In a row: the store is away then, and each more would wait for its time limit.
_FAILURES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSession:
    """One of a user's sessions, as a list of devices shows it.

    ``handle``
        Its public name, by which it is ended; it opens nothing.
    ``created``, ``last_seen``
        When its user logged in, and when it was last noted to be active; UTC.
    ``client``
        The browser, as far as the policy has that noted.
    ``is_current``
        Whether it is the session of this request.
    """

    handle: str
    created: datetime
    last_seen: datetime
    client: Client
    is_current: bool = False


def sessions_of(
    engine: Engine, user_id: str, now: int, current: str | None = None
) -> Steps[list[UserSession]]:
    """Return a user's sessions, the last active one first (ASVS 5.0, 7.5.2).

    ``current`` is the handle of the one that asks.
    """
    records = yield from living(engine, user_id, now)
    return [
        UserSession(
            handle=record.handle,
            created=datetime.fromtimestamp(record.created, UTC),
            last_seen=datetime.fromtimestamp(record.seen, UTC),
            client=Client.read(record.client),
            is_current=record.handle == current,
        )
        for record in sorted(records, key=lambda record: (record.seen, record.key), reverse=True)
    ]


def end_session(engine: Engine, user_id: str, handle: str, now: int) -> Steps[bool]:
    """End one of a user's sessions; return whether there was one of that handle."""
    # By another policy than this process's it may not be over: all that are live are ended.
    records: Sequence[Record] = yield OfUser(user_id)
    chosen = [record for record in records if record.handle == handle]
    return bool((yield from _end(engine, chosen, now, "by its user")))


def end_user(
    engine: Engine, user_id: str, now: int, *, but: str | None = None
) -> Steps[int | None]:
    """End all sessions of a user, but the one of a handle; return how many (ASVS 5.0, 7.4.2).

    None where they live in cookies, which nobody can count.
    """
    if engine.revocations is not None:
        yield from _end_before(engine, engine.revocations, user_id, now)
        return None
    records: Sequence[Record] = yield OfUser(user_id)
    chosen = [record for record in records if record.handle != but]
    return (yield from _end(engine, chosen, now, "all of its user" if but is None else "others"))


def end_others(engine: Engine, session: FullSession, now: int) -> Steps[int | None]:
    """End all sessions of a session's user but that one; return how many (ASVS 5.0, 7.4.3).

    None where they live in cookies, which nobody can count. Raises :exc:`holdfast.NotSignedIn` if
    it is nobody's.
    """
    user_id, own = session.user_id, session.handle
    if user_id is None:
        raise session.outage or NotSignedIn
    if engine.revocations is None:
        return (yield from end_user(engine, user_id, now, but=own))
    limit, before = yield from _end_before(engine, engine.revocations, user_id, now)
    if not session.is_over_by(before):
        session.outlive(limit.version)
    return None


def end_all(engine: Engine, clock: Callable[[], float]) -> Steps[int | None]:
    """End everybody's sessions, page by page; return how many (ASVS 5.0, 7.4.5).

    Those are left alone that begin meanwhile by ``clock``, in seconds since the epoch, or there
    would be no end of it under load.
    None where they live in cookies, which nobody can count.
    """
    now = int(clock())
    if engine.revocations is not None:
        yield from _end_before(engine, engine.revocations, None, now)
        return None
    ended, after = 0, b""
    while True:
        page: Page = yield List(after)
        # Clocks may differ so much; what began further ahead began before a clock was set back.
        at = int(clock())
        first, last = now + engine.terms.in_flight, at + engine.terms.in_flight
        # What has no secret is no session, but a limit of another application's revocations.
        sessions = [one for one in page.records if one.secret and not first < one.created <= last]
        ended += yield from _end(engine, sessions, at, "everybody's")
        after = page.after
        if not after:
            return ended


def _end_before(
    engine: Engine, revocations: Revocations, user_id: str | None, now: int
) -> Steps[tuple[Record, Record | None]]:
    limit, before = yield from revocations.end_before(user_id, now)
    engine.tell("ended", limit.handle, "everybody's" if user_id is None else "all of its user")
    return limit, before


def _end(engine: Engine, records: Sequence[Record], now: int, why: str) -> Steps[int]:
    ended, failures, failure = 0, 0, None
    for record in records:
        try:
            done = yield Retire(record.key, now, now + engine.terms.tombstone)
        except StoreUnavailable as error:
            failure, failures = error, failures + 1
            if failures == _FAILURES:
                break
            continue  # the others are to end all the same
        failures = 0
        if done:
            engine.tell("ended", record.handle, why)
            ended += 1
    if failure is not None:
        raise failure
    return ended


def count_expired(store: Store, now: int) -> int | None:
    """Return how many sessions have expired at ``now``, in seconds since the epoch.

    None for a store that removes them by itself.
    """
    return store.count_expired(now) if isinstance(store, Purgeable) else None


def purge(store: Store, now: int) -> Iterator[int]:
    """Remove the sessions that have expired at ``now``, batch by batch.

    Yields how many each batch removed. A store that removes them by itself has none.
    """
    if not isinstance(store, Purgeable):
        return
    while removed := store.purge(now, limit=BATCH).removed:
        yield removed
