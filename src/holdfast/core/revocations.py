"""What has been ended of sessions that live in their cookies (ASVS 5.0, 7.4.1).

A store keeps a tombstone for each session that was ended, under its id, until its last cookie would
have expired; and *limits*, which are live records:

- of a user: cookies that were issued at its ``seen`` or before are good no more. That lies some
  time ahead, as far as clocks of servers may differ; whoever logs in afterwards gets a cookie that
  was issued later still, whatever the clock says;
- of everybody: cookies of an earlier generation than its ``seen`` are good no more. It is never
  forgotten;
- of a session, under its id: the same, since its user logged in or authenticated again.

So clocks decide nothing by themselves.

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
from holdfast.core.record import Record, SessionKey, bare, handle_of
from holdfast.core.sealed_codec import Held
from holdfast.errors import SessionConflict, StoreUnavailable

# Answers that are remembered, twice over at the most: some 300 bytes each.
_REMEMBERED = 10_000
# Until when the limit of everybody is kept: as long as times of four bytes go.
_FOREVER = (1 << 32) - 1


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
    """A session that was found live: when the store was asked, and for which cookie."""

    asked: int
    user: str | None
    issued: int
    generation: int
    everybody: int


class Issue(NamedTuple):
    """What a cookie is issued with, so that no limit that there is ends it."""

    issued: int
    generation: int = 1
    everybody: int = 0


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
        self._latest = 0  # the latest time that any request named

    def is_known_live(self, held: Held, now: int) -> bool:
        """Return whether a cookie was found good so lately that nobody need be asked."""
        live = self._live.get(held.key)
        return (
            live is not None
            and abs(now - live.asked) < self.max_age
            and live[1:] == (held.user_id, held.rotated, held.version, held.everybody)
        )

    def ended(self, held: Held, now: int) -> Steps[int]:
        """Return when a session was ended, as far as is known; 0 while its cookie is good.

        Raises :exc:`holdfast.StoreUnavailable` if nobody can tell.
        """
        self._mind_the_clock(now)
        if self.is_known_live(held, now):
            return 0
        endings, since = self._endings, now
        for key in (held.key, *_limits_of(held.user_id)):
            asked, found = yield from self._look(key, now)
            since = min(since, asked)
            if found is not None and _ends(found, held):
                return found.ended or found.rotated
        if endings == self._endings:
            if len(self._live) >= _REMEMBERED:
                self._live = {}
            live = Live(since, held.user_id, held.rotated, held.version, held.everybody)
            self._live[held.key] = live
        return 0

    def issue(self, user: str | None, now: int) -> Steps[Issue]:
        """Return what the cookie is issued with of a session that begins now.

        Whoever logs in gets the truth of the moment; an anonymous session what is known.
        """
        if user is None:
            try:
                everybody = (yield from self._look(_EVERYBODY, now)).record
            except StoreUnavailable:
                everybody = self._known(_EVERYBODY)
            return Issue(now, everybody=_seen(everybody))
        everybody = yield from self._ask(_EVERYBODY, now)
        theirs = yield from self._ask(key_of_user(user), now)
        return Issue(_after(theirs, now), everybody=_seen(everybody))

    def renew(
        self, held: Held, user: str | None, now: int, outlives: int = 0
    ) -> Steps[Issue | None]:
        """End all cookies of a session that there are; return what the next is issued with.

        None if the session was ended, or renewed by somebody else. ``user`` is whose it is from now
        on; ``outlives`` is the version of its user's limit that does not end it.
        """
        own: Record | None = yield Load(held.key)
        everybody = yield from self._ask(_EVERYBODY, now)
        before: Record | None = None
        if held.user_id is not None:
            before = yield from self._ask(key_of_user(held.user_id), now)
        after = before
        if user is not None and user != held.user_id:
            after = yield from self._ask(key_of_user(user), now)
        spared = before is not None and before.version == outlives
        limits = (own, everybody, None if spared else before)
        if any(limit is not None and _ends(limit, held) for limit in limits):
            return None
        issue = Issue(_after(after, now), held.version + 1, _seen(everybody))
        until = max(held.expires, now + self.kept_for)
        done = yield from self._limit(held.key, own, issue.generation, until, now)
        return None if done is None else issue

    def end(self, held: Held, now: int) -> Steps[bool]:
        """End a session, with all cookies of it; return whether nobody had before."""
        until = max(held.expires, now + self.kept_for)
        tombstone = bare(held.key, now, until, seen=now, ended=now)
        # A limit may be there in its place, or come between the two.
        done = False
        for _ in range(2):
            done = yield Create(tombstone)
            done = done or (yield Retire(held.key, now, until))
            if done:
                break
        self._learn(held.key, now, tombstone)
        return done

    def end_before(self, user: str | None, now: int) -> Steps[tuple[Record, Record | None]]:
        """End all sessions of a user, or everybody's for None, that there are.

        Returns the limit, and the one in whose place it is.
        """
        key = key_of_user(user)
        # Signed cookies that are imported have the time of signing for everybody's generation.
        ahead = self.skew + 1 if user is None else self.skew
        until = _FOREVER if user is None else now + self.kept_for
        for _ in range(ATTEMPTS):
            before: Record | None = yield Load(key)
            seen = max(now + ahead, _seen(before) + 1)
            limit = yield from self._limit(key, before, seen, until, now)
            if limit is not None:
                self._live = {}
                return limit, before
        raise SessionConflict(handle_of(key), ATTEMPTS)

    def _limit(
        self, key: SessionKey, before: Record | None, seen: int, until: int, now: int
    ) -> Steps[Record | None]:
        """Set a limit in the place of another one; return it if nobody did meanwhile."""
        if before is None:
            limit = bare(key, now, until, seen=seen)
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
        if not done:
            return None
        self._learn(key, now, limit)
        return limit

    def _look(self, key: SessionKey, now: int) -> Steps[Known]:
        known = self._recent.get(key) or self._older.get(key)
        # Either way: a request that took its time asks after one that came later.
        age = 0 if known is None else abs(now - known.asked)
        if known is not None and age < self.max_age:
            return known
        try:
            return Known(now, (yield from self._ask(key, now)))
        except StoreUnavailable:
            if known is not None and age < self.stale_if_error:
                return known
            raise

    def _ask(self, key: SessionKey, now: int) -> Steps[Record | None]:
        """Return what the store says, or what this process has done since."""
        return self._remember(key, now, (yield Load(key)))

    def _mind_the_clock(self, now: int) -> None:
        """Forget what was asked by a clock that was set back since."""
        if now < self._latest - self.skew:
            self._recent, self._older, self._live = {}, {}, {}
            self._latest = now
        self._latest = max(self._latest, now)

    def _known(self, key: SessionKey) -> Record | None:
        known = self._recent.get(key) or self._older.get(key)
        return None if known is None else known.record

    def _learn(self, key: SessionKey, now: int, record: Record) -> None:
        """Remember what this process ended itself."""
        self._endings += 1
        self._live.pop(key, None)
        self._remember(key, now, record)

    def _remember(self, key: SessionKey, now: int, record: Record | None) -> Record | None:
        known = self._recent.get(key) or self._older.get(key)
        lately = known is not None and abs(now - known.asked) < self.max_age
        new = Known(now, record)
        if known is not None and lately and _weight(record) < _weight(known.record):
            new = known  # another thread ended it since the store was asked
        if len(self._recent) >= _REMEMBERED:
            self._older, self._recent = self._recent, {}
        self._recent[key] = new
        return new.record


def _ends(found: Record, held: Held) -> bool:
    """Whether a tombstone or a limit ends a session."""
    if found.ended:
        return True
    if found.key == held.key:
        return held.version < found.seen
    if found.key == _EVERYBODY:
        return held.everybody < found.seen
    return held.rotated <= found.seen


def _seen(limit: Record | None) -> int:
    return 0 if limit is None else limit.seen


def _after(limit: Record | None, now: int) -> int:
    return max(now, _seen(limit) + 1)


def _weight(found: Record | None) -> tuple[bool, int]:
    """Return what is the greater the more is ended by it; of a tombstone no time counts."""
    return (False, 0) if found is None else (found.ended != 0, 0 if found.ended else found.seen)


def _limits_of(user: str | None) -> Iterable[SessionKey]:
    return (_EVERYBODY,) if user is None else (_EVERYBODY, key_of_user(user))
