"""What has been ended of sessions that live in their cookies (ASVS 5.0, 7.4.1).

A store keeps a tombstone for each session that was ended, under its id, until its last cookie would
have expired; and *limits*: live records whose ``seen`` is a time, and cookies that were issued then
or before are good no more. A user has one, everybody together has one, and so has a session whose
user logged in or authenticated again, under its id.

The limit of a user, and of everybody, lies some time ahead, as far as clocks of servers may differ
and longer; whoever logs in afterwards gets a cookie that was issued later still, whatever the clock
says. So clocks decide nothing by themselves.

What the store said is remembered for a while by each process, so that most requests ask nothing.
Where a cookie is issued anew under which older ones die, it is asked always.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256
from typing import NamedTuple

from holdfast.core.keys import with_lengths
from holdfast.core.ops import Create, Load, Retire, Save
from holdfast.core.outcome import ATTEMPTS, Steps
from holdfast.core.record import Record, SessionKey, handle_of
from holdfast.errors import SessionConflict, StoreUnavailable

# Answers that are remembered, twice over at the most: some 300 bytes each.
_REMEMBERED = 10_000
# So many seconds more the limit of everybody lies ahead than a user's: each time that a user's
# sessions are ended within one second, that user's is one further.
_FURTHER = 60


def key_of_user(user: str | None) -> SessionKey:
    """Return what a user's limit is kept under; that of everybody for None."""
    named = () if user is None else (user.encode(),)
    return SessionKey(sha256(with_lengths(b"holdfast: not before", *named)).digest())


_EVERYBODY = key_of_user(None)


class Known(NamedTuple):
    """What the store said, and to a request that arrived when."""

    asked: int
    record: Record | None


class Live(NamedTuple):
    """A session that was found live: when the store was asked, whose it is, when it was issued."""

    asked: int
    user: str | None
    issued: int


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
        self.kept_for = kept_for + self.stale_if_error + 2 * skew
        self._recent: dict[SessionKey, Known] = {}
        self._older: dict[SessionKey, Known] = {}
        # Of whole sessions, so that one look tells.
        self._live: dict[SessionKey, Live] = {}
        self._endings = 0  # how often this process ended something

    def is_known_live(self, record: Record, user: str | None, now: int) -> bool:
        """Return whether a session was found live so lately that nobody need be asked."""
        live = self._live.get(record.key)
        return (
            live is not None
            and live.issued == record.rotated
            and live.user == user
            and abs(now - live.asked) < self.max_age
        )

    def ended(self, record: Record, user: str | None, now: int) -> Steps[int]:
        """Return when a session was ended, as far as is known; 0 while it is live.

        Raises :exc:`holdfast.StoreUnavailable` if nobody can tell.
        """
        if self.is_known_live(record, user, now):
            return 0
        endings, since = self._endings, now
        for key in _keys_for(record, user):
            asked, found = yield from self._look(key, now)
            since = min(since, asked)
            if found is not None and _ends(found, record):
                return found.ended or found.rotated
        if endings == self._endings:
            if len(self._live) >= _REMEMBERED:
                self._live = {}
            self._live[record.key] = Live(since, user, record.rotated)
        return 0

    def issue(self, user: str | None, now: int) -> Steps[int]:
        """Return the time of issue for a session that begins now: after every limit.

        Whoever logs in gets the truth of the moment; an anonymous session what is known.
        """
        if user is not None:
            return (yield from self._after(_limits_of(user), now))
        try:
            limit = (yield from self._look(_EVERYBODY, now)).record
        except StoreUnavailable:
            return now
        return now if limit is None else max(now, limit.seen + 1)

    def renew(self, record: Record, user: str | None, now: int, outlives: int = 0) -> Steps[int]:
        """End all cookies of a session that there are; return the time of issue for the next one.

        0 if the session itself was ended, or renewed by somebody else. ``user`` is whose it is from
        now on; ``outlives`` is the version of the user's limit that does not end it.
        """
        own = (yield from self._ask(record.key, now)).record
        keys = dict.fromkeys((*_limits_of(record.user_id), *_limits_of(user)))
        issued = 1 + max(
            (yield from self._after(keys, now)) - 1, record.rotated, 0 if own is None else own.seen
        )
        if own is not None and _ends(own, record):
            return 0
        for key in _limits_of(record.user_id):
            limit = self._known(key)
            if limit is None or not _ends(limit, record):
                continue
            if key == _EVERYBODY or limit.version != outlives:
                return 0
        until = max(record.expires, now + self.kept_for)
        return issued if (yield from self._limit(record.key, own, issued - 1, until, now)) else 0

    def end(self, record: Record, now: int) -> Steps[bool]:
        """End a session, with all cookies of it; return whether nobody had before."""
        until = max(record.expires, now + self.kept_for)
        tombstone = _record(record.key, now, now, until, ended=now)
        # A limit may be there in its place, or come between the two.
        done = False
        for _ in range(2):
            done = yield Create(tombstone)
            done = done or (yield Retire(record.key, now, until))
            if done:
                break
        self._learn(record.key, now, tombstone)
        self._live.pop(record.key, None)
        return done

    def end_before(self, user: str | None, now: int) -> Steps[tuple[Record, Record | None]]:
        """End all sessions of a user, or everybody's for None, that there are.

        Returns the limit, and the one in whose place it is.
        """
        key = key_of_user(user)
        for _ in range(ATTEMPTS):
            before: Record | None = yield Load(key)
            seen = 0 if before is None else before.seen
            if user is None:
                # Further than a user's limits may be ahead of everybody's by now.
                limit = max(now, seen) + self.skew + _FURTHER
            else:
                everybody = (yield from self._ask(_EVERYBODY, now)).record
                limit = max(now + self.skew, seen + 1)
                if everybody is not None:
                    limit = max(limit, everybody.seen + 1)
            if (yield from self._limit(key, before, limit, now + self.kept_for, now)):
                self._live = {}
                made = self._known(key)
                if made is not None:
                    return made, before
        raise SessionConflict(handle_of(key), ATTEMPTS)

    def _after(self, keys: Iterable[SessionKey], now: int) -> Steps[int]:
        """Return a time after some limits, as they are in truth."""
        issued = now
        for key in keys:
            limit = (yield from self._ask(key, now)).record
            if limit is not None:
                issued = max(issued, limit.seen + 1)
        return issued

    def _limit(
        self, key: SessionKey, before: Record | None, seen: int, until: int, now: int
    ) -> Steps[bool]:
        """Set a limit in the place of another one; return whether nobody did meanwhile."""
        if before is None:
            limit = _record(key, seen, now, until)
            done = yield Create(limit)
        else:
            limit = replace(
                before,
                version=before.version + 1,
                seen=seen,
                rotated=now,
                expires=max(until, before.expires),
            )
            done = yield Save(limit)
        if done:
            self._learn(key, now, limit)
        return bool(done)

    def _look(self, key: SessionKey, now: int) -> Steps[Known]:
        known = self._recent.get(key) or self._older.get(key)
        # Either way: a request that took its time asks after one that came later.
        age = 0 if known is None else abs(now - known.asked)
        if known is not None and age < self.max_age:
            return known
        try:
            return (yield from self._ask(key, now))
        except StoreUnavailable:
            if known is not None and age < self.stale_if_error:
                return known
            raise

    def _ask(self, key: SessionKey, now: int) -> Steps[Known]:
        """Return what the store says, whatever is known."""
        record = yield Load(key)
        return self._remember(key, now, record)

    def _known(self, key: SessionKey) -> Record | None:
        known = self._recent.get(key)
        return None if known is None else known.record

    def _learn(self, key: SessionKey, now: int, record: Record) -> None:
        """Remember what this process ended itself."""
        self._endings += 1
        self._remember(key, now, record)

    def _remember(self, key: SessionKey, now: int, record: Record | None) -> Known:
        before = self._known(key)
        if _weight(record) < _weight(before):
            record = before  # another thread ended it since the store was asked
        if len(self._recent) >= _REMEMBERED:
            self._older, self._recent = self._recent, {}
        self._recent[key] = known = Known(now, record)
        return known


def _ends(found: Record, record: Record) -> bool:
    """Whether a tombstone or a limit ends a session."""
    return found.ended != 0 or record.rotated <= found.seen


def _weight(found: Record | None) -> tuple[bool, int]:
    """Return what is the greater the more is ended by it; of a tombstone no time counts."""
    return (False, 0) if found is None else (found.ended != 0, 0 if found.ended else found.seen)


def _record(key: SessionKey, seen: int, now: int, until: int, *, ended: int = 0) -> Record:
    return Record(
        key=key,
        secret=b"",
        data=b"",
        version=1,
        created=now,
        seen=seen,
        expires=until,
        rotated=now,
        ended=ended,
    )


def _keys_for(record: Record, user: str | None) -> Iterable[SessionKey]:
    return (record.key, *_limits_of(user))


def _limits_of(user: str | None) -> Iterable[SessionKey]:
    return (_EVERYBODY,) if user is None else (_EVERYBODY, key_of_user(user))
