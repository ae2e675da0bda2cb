"""What has been ended of sessions that live in their cookies (ASVS 5.0, 7.4.1).

A store keeps a tombstone for each session that was ended, under its id, until its last cookie would
have expired; and *limits*, which are live records:

- of a user: cookies that were issued at its ``seen`` or before are good no more. That lies some
  time ahead, as far as clocks of servers may differ; whoever logs in afterwards gets a cookie that
  was issued later still, whatever the clock says;
- of everybody: cookies of an earlier generation than its ``seen`` are good no more;
- of a session, under its id: the same, since its user logged in or authenticated again.

So clocks decide nothing by themselves. The limits of users and of everybody are never forgotten.

What the store said is known to each process for a while, so that most requests ask nothing.
Where a cookie is issued anew under which older ones die, it is asked always.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

from msgspec.structs import replace

from holdfast.core.keys import with_lengths
from holdfast.core.knowledge import Knowledge
from holdfast.core.ops import Create, Load, Retire, Save
from holdfast.core.outcome import ATTEMPTS, Steps
from holdfast.core.record import Record, SessionKey, bare, handle_of
from holdfast.core.sealed_codec import Held
from holdfast.errors import SessionConflict, StoreUnavailable

# Until when the limits of users and of everybody are kept: as long as times of four bytes go.
_FOREVER = (1 << 32) - 1


def key_of_user(user: str | None) -> SessionKey:
    """Return what a user's limit is kept under; that of everybody for None."""
    named = () if user is None else (user.encode(),)
    return SessionKey(sha256(with_lengths(b"holdfast: not before", *named)).digest())


_EVERYBODY = key_of_user(None)


class Issue(NamedTuple):
    """What a cookie is issued with, so that no limit that there is ends it."""

    issued: int
    generation: int = 1
    everybody: int = 0


class Revocations:
    """Which sessions have been ended; all times in seconds.

    ``knowledge``
        What this process knows of it.
    ``skew``
        So far the clocks of servers may differ.
    ``kept_for``
        A session whose cookie is never presented is over after this time.
    """

    def __init__(self, knowledge: Knowledge, *, skew: int, kept_for: int) -> None:
        self._knowledge = knowledge
        self.skew = skew
        # Other processes may have gone on for a while from what they knew.
        self.kept_for = kept_for + int(knowledge.stale_if_error) + 2 * skew

    def is_known_live(self, held: Held) -> bool:
        """Return whether a cookie was found good so lately that nobody need be asked."""
        return self._knowledge.is_live(held)

    def ended(self, held: Held) -> Steps[int]:
        """Return when a session was ended, as far as is known; 0 while its cookie is good.

        Raises :exc:`holdfast.StoreUnavailable` if nobody can tell.
        """
        knowledge = self._knowledge
        if knowledge.is_live(held):
            return 0
        learned, since = knowledge.learned, float("inf")
        for key in (held.key, *_limits_of(held.user_id)):
            asked, found = yield from knowledge.look(key)
            since = min(since, asked)
            if found is not None and _ends(found, held):
                return found.ended or found.rotated
        knowledge.found_live(held, since, learned)
        return 0

    def issue(self, user: str | None, now: int) -> Steps[Issue]:
        """Return what the cookie is issued with of a session that begins now.

        Whoever logs in gets the truth of the moment; an anonymous session what is known.
        """
        if user is None:
            try:
                everybody = (yield from self._knowledge.look(_EVERYBODY)).record
            except StoreUnavailable:
                everybody = self._knowledge.of(_EVERYBODY)
            return Issue(now, everybody=_seen(everybody))
        everybody = yield from self._knowledge.ask(_EVERYBODY)
        theirs = yield from self._knowledge.ask(key_of_user(user))
        return Issue(_after(theirs, now), everybody=_seen(everybody))

    def renew(
        self, held: Held, user: str | None, now: int, outlives: int = 0
    ) -> Steps[Issue | None]:
        """End all cookies of a session that there are; return what the next is issued with.

        None if the session was ended, or renewed by somebody else. ``user`` is whose it is from now
        on; ``outlives`` is the version of its user's limit that does not end it.
        """
        own: Record | None = yield Load(held.key)
        everybody = yield from self._knowledge.ask(_EVERYBODY)
        before: Record | None = None
        if held.user_id is not None:
            before = yield from self._knowledge.ask(key_of_user(held.user_id))
        after = before
        if user is not None and user != held.user_id:
            after = yield from self._knowledge.ask(key_of_user(user))
        spared = before is not None and user == held.user_id and before.version == outlives
        limits = (own, everybody, None if spared else before)
        if any(limit is not None and _ends(limit, held) for limit in limits):
            return None
        # Where the user stays, so does the time: a limit that is being set is to end it.
        moves = spared or user != held.user_id
        issued = _after(after, now) if moves else held.rotated
        issue = Issue(issued, held.version + 1, _seen(everybody))
        until = max(held.expires, now + self.kept_for)
        done = yield from self._limit(held.key, own, issue.generation, until, now)
        return None if done is None else issue

    def end(self, held: Held, now: int) -> Steps[bool]:
        """End a session, with all cookies of it; return whether nobody had before."""
        until = max(held.expires, now + self.kept_for)
        tombstone = bare(held.key, now, until, seen=now, ended=now)
        # A limit may be there in its place.
        done: bool = (yield Create(tombstone)) or (yield Retire(held.key, now, until))
        self._knowledge.learn(held.key, tombstone)
        return done

    def end_before(self, user: str | None, now: int) -> Steps[tuple[Record, Record | None]]:
        """End all sessions of a user, or everybody's for None, that there are.

        Returns the limit, and the one in whose place it is.
        """
        key = key_of_user(user)
        # Signed cookies that are imported have the time of signing for everybody's generation.
        ahead = self.skew + 1 if user is None else self.skew
        for _ in range(ATTEMPTS):
            before: Record | None = yield Load(key)
            seen = max(now + ahead, _seen(before) + 1)
            limit = yield from self._limit(key, before, seen, _FOREVER, now)
            if limit is not None:
                self._knowledge.forget_live()
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
        self._knowledge.learn(key, limit)
        return limit


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


def _limits_of(user: str | None) -> Iterable[SessionKey]:
    return (_EVERYBODY,) if user is None else (_EVERYBODY, key_of_user(user))
