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

from typing import Any, NamedTuple

from msgspec.structs import replace

from holdfast.core.change import Change, letter_after
from holdfast.core.cookie_held import SET
from holdfast.core.engine import Engine
from holdfast.core.envelope import Letter, Notes
from holdfast.core.full_mapping import FullMapping
from holdfast.core.migration import SignedCookie
from holdfast.core.outcome import DELETE, NOTHING, Outcome, Steps
from holdfast.core.revocations import Issue, Revocations
from holdfast.core.sealed_codec import ID_BYTES, Held, SealedCodec, Unsealed, key_of
from holdfast.core.sealed_opening import died, imported, judged, told
from holdfast.core.verdict import Opened, Verdict
from holdfast.core.visit import Visit
from holdfast.errors import CookieTooLarge, StoreUnavailable

Shown = Unsealed | SignedCookie | Held


class New(NamedTuple):
    """A session that begins: what its cookie holds, and the cookie's text."""

    held: Held
    letter: Letter
    contents: dict[str, Any]
    text: str


class SealedEngine(Engine):
    """What decides about sessions in sealed cookies."""

    def __init__(
        self, *, codec: SealedCodec, revocations: Revocations | None = None, **settings: Any
    ) -> None:
        super().__init__(**settings)
        self.codec = codec
        self.read = codec.load
        self.revocations = revocations

    @property
    def longest(self) -> int:
        """As :attr:`Engine.longest`; what was ended is not remembered for longer."""
        if self.revocations is None or self.terms.absolute is not None:
            return super().longest
        return self.terms.idle

    def at_once(self, presented: Any, arrived: int) -> Opened | None:
        """As :meth:`Engine.at_once`."""
        if type(presented) is not Unsealed:
            return None
        revocations = self.revocations
        if revocations is None or revocations.is_known_live(presented.record):
            return told(self, judged(self, presented, arrived))
        return None

    def find(self, presented: Unsealed | SignedCookie | None, arrived: int) -> Steps[Opened]:
        """As :meth:`Engine.find`."""
        if presented is None:
            return Opened(Verdict.NONE)
        if isinstance(presented, SignedCookie):
            unsealed = imported(self, presented, arrived)
            if unsealed is None:
                return Opened(Verdict.UNKNOWN)
            opened = replace(judged(self, unsealed, arrived), cookie=presented)
        else:
            opened = judged(self, presented, arrived)
        held = opened.record
        if self.revocations is not None and isinstance(held, Held):
            ended = yield from self.revocations.ended(held)
            if ended:
                return Opened(died(self, held, ended, arrived))
        return told(self, opened)

    def unseen(self, presented: Unsealed | SignedCookie, error: StoreUnavailable) -> Opened:
        """As :meth:`Engine.unseen`."""
        cookie = presented if isinstance(presented, SignedCookie) else None
        return Opened(Verdict.AWAY, cookie=cookie, error=error)

    def presented(self, visit: Visit, opened: Opened | None) -> Shown | None:
        """As :meth:`Engine.presented`."""
        found = None if opened is None else opened.record
        shown: Shown | None = visit.presented if found is None else found
        return shown

    def keep(
        self, session: FullMapping, visit: Visit, opened: Opened | None, now: int
    ) -> Steps[Outcome]:
        """As :meth:`Engine.keep`."""
        if opened is None:  # cleared before anybody looked
            opened = yield from self.find(visit.presented, visit.arrived)
        change = Change.of(session, opened, visit)
        held = opened.record
        if opened.verdict is Verdict.GOOD and isinstance(held, Held):
            outcome = yield from self._of_good(session, opened, held, change, now)
        else:
            outcome = yield from self._of_dead(session, opened, visit, change, now)
        if outcome is not NOTHING:
            session._again = outcome
        return outcome

    def _of_good(
        self, session: FullMapping, opened: Opened, held: Held, change: Change, now: int
    ) -> Steps[Outcome]:
        if self.revocations is not None and not session._outlives:
            try:
                ended = yield from self.revocations.ended(held)
            except StoreUnavailable as error:
                if change.wrote or change.wants_something:
                    raise
                # The page has what it wanted; the next one will note the activity.
                self.tell_unavailable(held, error)
                return NOTHING
            if ended:
                return (yield from self._dropped(session, Verdict.LATE, change, held, now))
        if change.cleared:
            return (yield from self._cleared(session, held, change, now))
        return (yield from self._go_on(session, opened, held, change, now))

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
        new = None
        if change.wrote and change.contents:
            try:
                new = yield from self._new(change.contents, change, now)
            except StoreUnavailable as error:
                if not self.go_on_without_store or change.logs_in:
                    raise
                self.tell_unavailable(None, error)
                return (yield from self._dropped(session, Verdict.AWAY, change, None, now))
        ended = dead is not None and (yield from self._end(dead, now))
        if new is not None:
            return self._begin(session, new, change)
        session.settle(Opened(Verdict.NONE))
        return DELETE if ended else NOTHING

    def _go_on(
        self, session: FullMapping, opened: Opened, held: Held, change: Change, now: int
    ) -> Steps[Outcome]:
        """Set the cookie of a good session anew, if there is need."""
        terms, letter, withheld = self.terms, opened.letter, change.stays_withheld
        contents = change.own(self.users) if change.replaces else change.contents
        text = self.envelope.text_of(contents) if change.wrote else opened.text
        after = letter_after(letter, text, change, now)
        why = change.why_regenerated
        is_new = bool(why) or after != letter
        lifetime = letter.notes.lifetime
        is_touched = change.is_activity and terms.is_touch_due(held.seen, lifetime, now)
        if not is_new and not is_touched and opened.cookie is None:
            session.settle(opened)
            return NOTHING
        if change.wrote and not contents and not withheld:
            # Emptied key by key: nothing is left to keep.
            if why and not (yield from self._end(held, now)):
                # Somebody had, and the browser may have a newer cookie.
                return (yield from self._dropped(session, Verdict.LATE, change, None, now))
            session.settle(Opened(Verdict.NONE))
            return DELETE
        user = held.user_id if withheld else change.user
        created = now if change.begins else held.created
        seen = now if change.is_activity else held.seen
        # The end of a session is kept until then: never before an older cookie of it expires.
        expires = max(held.expires, terms.expires(created, seen, after.notes.lifetime, user))
        new = replace(held, created=created, seen=seen, expires=expires, user_id=user)
        try:
            token = self.codec.dump(new, after, contents)
        except CookieTooLarge:
            if is_new:
                raise
            # A signed cookie, which was compressed, has more: it goes on to be read.
            self.tell("refused", held.handle, CookieTooLarge.__name__)
            session.settle(replace(opened, cookie=None))
            return NOTHING
        if why:
            issue = yield from self._renew(held, user, session._outlives, now)
            if issue is None:
                return (yield from self._dropped(session, Verdict.LATE, change, held, now))
            self.tell("regenerated", held.handle, why)
            new = _issued(new, issue)
            token = self.codec.dump(new, after, contents)
        state = Opened(Verdict.GOOD, None, new, after, user=change.user, withheld=withheld)
        session.settle(state, contents if change.replaces else None)
        return Outcome(SET, token)

    def _cleared(
        self, session: FullMapping, held: Held, change: Change, now: int
    ) -> Steps[Outcome]:
        """End a session, and begin another one with what was written since."""
        contents = change.contents
        new = (yield from self._new(contents, change, now)) if contents else None
        ended = yield from self._end(held, now)
        if new is not None and (ended or change.logs_in):
            return self._begin(session, new, change)
        if not ended:  # somebody had, and the browser may have a newer cookie
            return (yield from self._dropped(session, Verdict.LATE, change, None, now))
        session.settle(Opened(Verdict.NONE))
        return DELETE

    def _new(self, contents: dict[str, Any], change: Change, now: int) -> Steps[New]:
        """Return a session that begins with ``contents``, before anything is kept of it."""
        user = change.user
        issue = yield from self._issue(user, now)
        letter = Letter(change.notes(Notes(), now), self.envelope.text_of(contents))
        held = Held(
            key=key_of(self.random(ID_BYTES)),
            version=issue.generation,
            created=now,
            seen=now,
            expires=self.terms.expires(now, now, letter.notes.lifetime, user),
            rotated=issue.issued,
            everybody=issue.everybody,
            user_id=user,
        )
        return New(held, letter, contents, self.codec.dump(held, letter, contents))

    def _begin(self, session: FullMapping, new: New, change: Change) -> Outcome:
        state = Opened(Verdict.GOOD, None, new.held, new.letter, user=change.user)
        session.settle(state, new.contents)
        self.tell("created", new.held.handle)
        return Outcome(SET, new.text)

    def _dead(self, visit: Visit) -> Held | None:
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
        held: Held | None,
        now: int,
    ) -> Steps[Outcome]:
        """Keep nothing that was written, but a login, and a logout of the session of ``held``."""
        new = (
            (yield from self._new(change.own(self.users), change, now)) if change.logs_in else None
        )
        ended = False
        if held is not None and (change.cleared or (change.logs_out and new is None)):
            ended = yield from self._end(held, now)
        if new is not None:
            return self._begin(session, new, change)
        session.settle(Opened(verdict), {})
        if change.wrote and (change.contents or not change.cleared):
            self.tell("dropped", "", verdict.value)
        return DELETE if ended else NOTHING

    def _issue(self, user: str | None, now: int) -> Steps[Issue]:
        if self.revocations is None:
            return Issue(now)
        return (yield from self.revocations.issue(user, now))

    def _renew(self, held: Held, user: str | None, outlives: int, now: int) -> Steps[Issue | None]:
        """End the session's older cookies; return what the next is issued with, if it is live."""
        if self.revocations is None:
            return Issue(now, held.version + 1, held.everybody)
        return (yield from self.revocations.renew(held, user, now, outlives))

    def _end(self, held: Held, now: int) -> Steps[bool]:
        """End a session; return whether nobody had before."""
        if self.revocations is None:
            ended = True
        else:
            ended = yield from self.revocations.end(held, now)
        if ended:
            self.tell("ended", held.handle)
        return ended


def _issued(held: Held, issue: Issue) -> Held:
    return replace(held, rotated=issue.issued, version=issue.generation, everybody=issue.everybody)
