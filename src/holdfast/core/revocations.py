"""What has been ended of sessions that live in their cookies (ASVS 5.0, 7.4.1).

A store keeps a tombstone for each session that was ended, until its last cookie would have expired;
and for each user, and for everybody, a time: sessions whose id was issued before are over. Such a
*limit* is a live record; its ``seen`` is that time, which is always some seconds ahead, as far as
clocks of servers may differ. An id that is issued later gets a later time, whatever the clock says.

What the store said is remembered for a while by each process, so that most requests ask nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256
from typing import NamedTuple

from holdfast.core.keys import with_lengths
from holdfast.core.ops import Create, Load, Save
from holdfast.core.outcome import ATTEMPTS, Steps
from holdfast.core.record import Record, SessionKey, handle_of
from holdfast.errors import SessionConflict, StoreUnavailable

# Answers that are remembered, twice over at the most: some 300 bytes each.
_REMEMBERED = 10_000


def key_of_user(user: str | None) -> SessionKey:
    """Return what a user's limit is kept under; that of everybody for None."""
    named = () if user is None else (user.encode(),)
    return SessionKey(sha256(with_lengths(b"holdfast: not before", *named)).digest())


_EVERYBODY = key_of_user(None)


class Known(NamedTuple):
    """What the store said, and to a request that arrived when."""

    asked: int
    record: Record | None


class Revocations:
    """Which sessions have been ended; all times in seconds.

    ``max_age``
        For so long a process takes what the store said for true.
    ``stale_if_error``
        For so long it does while the store can't be asked.
    ``skew``
        So far the clocks of servers may differ.
    ``kept_for``
        A session whose cookie is never presented is over after this time.
    """

    def __init__(self, *, max_age: int, stale_if_error: int, skew: int, kept_for: int) -> None:
        self.max_age = max_age
        self.stale_if_error = max(max_age, stale_if_error)
        self.skew = skew
        # Other processes may have gone on for a while from what they knew.
        self.kept_for = kept_for + self.stale_if_error + skew
        self._recent: dict[SessionKey, Known] = {}
        self._older: dict[SessionKey, Known] = {}
        # Of whole sessions, so that one look tells: since when, and whose.
        self._live: dict[SessionKey, tuple[int, str | None]] = {}
        self._endings = 0  # how often this process ended something

    def is_known_live(self, record: Record, user: str | None, now: int) -> bool:
        """Return whether a session was found live so lately that nobody need be asked."""
        live = self._live.get(record.key)
        return live is not None and live[1] == user and abs(now - live[0]) < self.max_age

    def ended(self, record: Record, user: str | None, now: int, outlives: int = 0) -> Steps[int]:
        """Return when a session was ended; 0 while it is live.

        ``outlives`` is the version of the user's limit that does not end it. Raises
        :exc:`holdfast.StoreUnavailable` if nobody can tell.
        """
        if not outlives and self.is_known_live(record, user, now):
            return 0
        endings = self._endings
        since, tombstone = yield from self._look(record.key, now)
        if tombstone is not None and tombstone.ended:
            return tombstone.ended
        for key in _limits_of(user):
            asked, limit = yield from self._look(key, now)
            since = min(since, asked)
            spared = key != _EVERYBODY and limit is not None and limit.version == outlives
            if limit is not None and record.rotated <= limit.seen and not spared:
                return limit.rotated
        if not outlives and endings == self._endings:
            if len(self._live) >= _REMEMBERED:
                self._live = {}
            self._live[record.key] = since, user
        return 0

    def issue(self, user: str | None, now: int) -> Steps[int]:
        """Return the time that an id gets which is issued now: after every limit.

        Whoever logs in gets the truth of the moment; an anonymous session what is known.
        """
        issued = now
        for key in _limits_of(user):
            if user is not None:
                self._forget(key)
            try:
                limit = (yield from self._look(key, now)).record
            except StoreUnavailable:
                if user is not None:
                    raise
                limit = None
            if limit is not None:
                issued = max(issued, limit.seen + 1)
        return issued

    def end(self, record: Record, now: int) -> Steps[bool]:
        """End a session; return whether nobody had before."""
        until = max(record.expires, now + self.kept_for)
        tombstone = Record(
            key=record.key,
            secret=b"",
            data=b"",
            version=1,
            created=now,
            seen=now,
            expires=until,
            rotated=now,
            ended=now,
        )
        first: bool = yield Create(tombstone)
        self._endings += 1
        self._remember(record.key, now, tombstone)
        self._live.pop(record.key, None)
        return first

    def end_before(self, user: str | None, now: int) -> Steps[Record]:
        """End all sessions of a user, or everybody's for None, that there are; return the limit."""
        key = key_of_user(user)
        for _ in range(ATTEMPTS):
            before: Record | None = yield Load(key)
            if before is None:
                limit = Record(
                    key=key,
                    secret=b"",
                    data=b"",
                    version=1,
                    created=now,
                    seen=now + self.skew,
                    expires=now + self.kept_for,
                    rotated=now,
                )
                done = yield Create(limit)
            else:
                limit = replace(
                    before,
                    version=before.version + 1,
                    seen=max(now + self.skew, before.seen + 1),
                    expires=max(now + self.kept_for, before.expires),
                    rotated=now,
                )
                done = yield Save(limit)
            if done:
                self._endings += 1
                self._remember(key, now, limit)
                self._live = {}
                return limit
        raise SessionConflict(handle_of(key), ATTEMPTS)

    def _look(self, key: SessionKey, now: int) -> Steps[Known]:
        known = self._recent.get(key) or self._older.get(key)
        # Either way: a request that took its time asks after one that came later.
        age = 0 if known is None else abs(now - known.asked)
        if known is not None and age < self.max_age:
            return known
        try:
            record = yield Load(key)
        except StoreUnavailable:
            if known is not None and age < self.stale_if_error:
                return known
            raise
        return self._remember(key, now, record)

    def _remember(self, key: SessionKey, now: int, record: Record | None) -> Known:
        before = self._recent.get(key)
        if before is not None and _since(record) < _since(before.record):
            record = before.record  # another thread ended it since the store was asked
        elif len(self._recent) >= _REMEMBERED:
            self._older, self._recent = self._recent, {}
        self._recent[key] = known = Known(now, record)
        return known

    def _forget(self, key: SessionKey) -> None:
        self._recent.pop(key, None)
        self._older.pop(key, None)


def _since(record: Record | None) -> int:
    return 0 if record is None else record.seen


def _limits_of(user: str | None) -> Iterable[SessionKey]:
    return (_EVERYBODY,) if user is None else (_EVERYBODY, key_of_user(user))
