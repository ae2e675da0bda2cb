"""Open and commit a session that lives in a sealed cookie: every decision about it, once.

What a cookie holds is judged by the times inside of it, never by what the browser was told. With
``revocations`` a session can be ended before: then a store is asked whether it was, where nobody
in this process has asked lately. Both are generators, as for stored sessions; without revocations
they ask for nothing.

A commit does one of these:

- nothing was looked at, cleared or written, and activity need not be noted: nothing;
- it was cleared: the cookie is deleted, and the session's id ended; what was written since begins
  another one;
- it changed, or activity is to be noted, or it was in a signed cookie: the cookie is set anew.
  With revocations, where somebody logs in, out or authenticates again, every older cookie of the
  session dies;
- it was ended meanwhile: what was written is dropped, but a login begins another one. The cookie
  is left as it is, since the browser may have a newer one.

Without revocations who kept a copy of a cookie has it until it expires.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from holdfast.core.change import Change, letter_after
from holdfast.core.cookie_held import SET
from holdfast.core.engine import Engine
from holdfast.core.envelope import Letter, Notes
from holdfast.core.full_mapping import FullMapping
from holdfast.core.migration import SignedCookie
from holdfast.core.outcome import DELETE, NOTHING, Outcome, Steps
from holdfast.core.record import Record
from holdfast.core.revocations import Revocations
from holdfast.core.sealed_codec import ID_BYTES, SealedCodec, Unsealed, key_of
from holdfast.core.sealed_opening import died, imported, judged
from holdfast.core.verdict import Opened, Verdict
from holdfast.core.visit import Visit
from holdfast.errors import StoreUnavailable

Shown = Unsealed | SignedCookie | Record


class SealedEngine(Engine):
    """What decides about sessions in sealed cookies."""

    def __init__(
        self, *, codec: SealedCodec, revocations: Revocations | None = None, **settings: Any
    ) -> None:
        super().__init__(**settings)
        self.codec = codec
        self.revocations = revocations

    @property
    def longest(self) -> int:
        """As :attr:`Engine.longest`; what was ended is not remembered for longer."""
        if self.revocations is None or self.terms.absolute is not None:
            return super().longest
        return self.terms.idle

    def find(self, presented: Unsealed | SignedCookie | None, arrived: int) -> Steps[Opened]:
        """As :meth:`Engine.find`."""
        if presented is None:
            return Opened(Verdict.NONE)
        if isinstance(presented, SignedCookie):
            unsealed = imported(self, presented, arrived)
            if unsealed is None:
                return Opened(Verdict.UNKNOWN)
            opened = judged(self, unsealed, arrived)
            opened.cookie = presented
        else:
            opened = judged(self, presented, arrived)
        record = opened.record
        if record is None or self.revocations is None:
            return opened
        if not self.revocations.is_known_live(record, record.user_id, arrived):
            ended = yield from self.revocations.ended(record, record.user_id, arrived)
            if ended:
                return Opened(died(self, record, ended, arrived))
        return opened

    def unseen(self, presented: Unsealed | SignedCookie, error: StoreUnavailable) -> Opened:
        """As :meth:`Engine.unseen`."""
        cookie = presented if isinstance(presented, SignedCookie) else None
        return Opened(Verdict.AWAY, cookie=cookie, error=error)

    def presented(self, visit: Visit, opened: Opened | None) -> Shown | None:
        """As :meth:`Engine.presented`."""
        if opened is not None and opened.record is not None:
            return opened.record
        shown: Unsealed | SignedCookie | None = visit.presented
        return shown

    def keep(
        self, session: FullMapping, visit: Visit, opened: Opened | None, now: int
    ) -> Steps[Outcome]:
        """As :meth:`Engine.keep`."""
        if opened is None:  # cleared before anybody looked
            opened = yield from self.find(visit.presented, visit.arrived)
        change = Change.of(session, opened, visit)
        if opened.verdict is Verdict.GOOD and opened.record is not None:
            outcome = yield from self._of_good(session, opened, opened.record, change, now)
        else:
            outcome = yield from self._of_dead(session, opened, visit, change, now)
        if outcome is not NOTHING:
            session._again = outcome
        return outcome

    def _of_good(
        self, session: FullMapping, opened: Opened, record: Record, change: Change, now: int
    ) -> Steps[Outcome]:
        if (yield from self._has_ended(record, session, now)):
            return (yield from self._dropped(session, Verdict.LATE, change, record, now))
        if not change.cleared:
            return (yield from self._go_on(session, opened, record, change, now))
        if not (yield from self._end(record, now)):
            return (yield from self._dropped(session, Verdict.LATE, change, None, now))
        return (yield from self._begin_after_clearing(session, change, now))

    def _of_dead(
        self, session: FullMapping, opened: Opened, visit: Visit, change: Change, now: int
    ) -> Steps[Outcome]:
        ends = change.asked.regenerate or change.logs_in or change.logs_out
        if opened.error is not None and ends:
            raise opened.error  # the cookie that the browser has would go on to be good
        # Whoever ever held one of its cookies can end a session.
        dead = self._dead(visit) if change.cleared and self.revocations is not None else None
        if opened.verdict not in {Verdict.NONE, Verdict.UNKNOWN}:
            return (yield from self._dropped(session, opened.verdict, change, dead, now))
        if dead is not None and (yield from self._end(dead, now)):
            return (yield from self._begin_after_clearing(session, change, now))
        if not (change.wrote and change.contents):
            return NOTHING
        return (yield from self._begin(session, change.contents, change, now))

    def _has_ended(self, record: Record, session: FullMapping, now: int) -> Steps[bool]:
        """Whether it was ended while the request ran, as far as this process knows."""
        if self.revocations is None or session._outlives:
            return False
        return bool((yield from self.revocations.ended(record, record.user_id, now)))

    def _go_on(
        self, session: FullMapping, opened: Opened, record: Record, change: Change, now: int
    ) -> Steps[Outcome]:
        """Set the cookie of a good session anew, if there is need."""
        terms, letter, withheld = self.terms, opened.letter, change.stays_withheld
        contents = change.own(self.users) if change.replaces else change.contents
        text = self.envelope.text_of(contents) if change.wrote else opened.text
        after = letter_after(letter, text, change, now)
        why = change.why_regenerated
        is_touched = change.is_activity and terms.is_touch_due(
            record.seen, letter.notes.lifetime, now
        )
        if not why and after == letter and not is_touched and opened.cookie is None:
            session.settle(opened)
            return NOTHING
        if change.wrote and not contents and not withheld:
            # Emptied key by key: nothing is left to keep.
            if change.logs_out or why:
                yield from self._end(record, now)
            session.settle(Opened(Verdict.NONE))
            return DELETE
        user = record.user_id if withheld else change.user
        created = now if change.begins else record.created
        seen = now if change.is_activity else record.seen
        expires = terms.expires(created, seen, after.notes.lifetime, user)
        # The end of a session is kept until then: never before an older cookie of it expires.
        expires = max(expires, record.expires)
        new = replace(record, created=created, seen=seen, expires=expires, user_id=user)
        token = self.codec.dump(new, after, contents)
        if why:
            issued = yield from self._renew(record, user, session._outlives, now)
            if not issued:
                return (yield from self._dropped(session, Verdict.LATE, change, record, now))
            self.tell("regenerated", record.handle, why)
            new = replace(new, rotated=issued)
            token = self.codec.dump(new, after, contents)
        state = Opened(Verdict.GOOD, None, new, after, user=change.user, withheld=withheld)
        session.settle(state, contents if change.replaces else None)
        return Outcome(SET, token)

    def _begin_after_clearing(
        self, session: FullMapping, change: Change, now: int
    ) -> Steps[Outcome]:
        if change.contents:
            return (yield from self._begin(session, change.contents, change, now))
        session.settle(Opened(Verdict.NONE))
        return DELETE

    def _begin(
        self, session: FullMapping, contents: dict[str, Any], change: Change, now: int
    ) -> Steps[Outcome]:
        """Begin a session with ``contents``."""
        user = change.user
        letter = Letter(change.notes(Notes(), now), self.envelope.text_of(contents))
        record = Record(
            key=key_of(self.random(ID_BYTES)),
            secret=b"",
            data=b"",
            version=1,
            created=now,
            seen=now,
            expires=self.terms.expires(now, now, letter.notes.lifetime, user),
            rotated=(yield from self._issue(user, now)),
            user_id=user,
        )
        token = self.codec.dump(record, letter, contents)
        session.settle(Opened(Verdict.GOOD, None, record, letter, user=user), contents)
        self.tell("created", record.handle)
        return Outcome(SET, token)

    def _dead(self, visit: Visit) -> Record | None:
        """Return what a cookie that is good no more names the session by; None if there is none."""
        shown: Unsealed | SignedCookie | None = visit.presented
        if isinstance(shown, SignedCookie):
            shown = imported(self, shown, visit.arrived)
        return None if shown is None else shown.record

    def _dropped(
        self,
        session: FullMapping,
        verdict: Verdict,
        change: Change,
        record: Record | None,
        now: int,
    ) -> Steps[Outcome]:
        """Keep nothing that was written, but a login, and a logout of the session of ``record``."""
        ended = False
        retires = change.cleared or (change.logs_out and not change.logs_in)
        if record is not None and retires:
            ended = yield from self._end(record, now)
        if change.logs_in:
            return (yield from self._begin(session, change.own(self.users), change, now))
        session.settle(Opened(verdict), {})
        if change.wrote and (change.contents or not change.cleared):
            self.tell("dropped", "", verdict.value)
        return DELETE if ended else NOTHING

    def _issue(self, user: str | None, now: int) -> Steps[int]:
        if self.revocations is None:
            return now
        return (yield from self.revocations.issue(user, now))

    def _renew(self, record: Record, user: str | None, outlives: int, now: int) -> Steps[int]:
        """End the session's older cookies; return when the next one is issued, 0 if it is over."""
        if self.revocations is None:
            return now
        return (yield from self.revocations.renew(record, user, now, outlives))

    def _end(self, record: Record, now: int) -> Steps[bool]:
        """End a session; return whether nobody had before."""
        if self.revocations is None:
            ended = True
        else:
            ended = yield from self.revocations.end(record, now)
        if ended:
            self.tell("ended", record.handle)
        return ended
