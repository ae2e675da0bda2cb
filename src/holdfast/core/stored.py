"""Open and commit a session that lives in a store: every decision about it, once.

Both are generators: they yield an operation and are sent its answer (``ops.py``), so they know
neither a store nor a clock, and every interleaving of several requests can be walked. What a
token is worth is judged in ``verdict.py``, what a request wants is told by ``change.py``.

A commit does one of these:

- nothing was looked at, cleared or written: nothing is asked of the store;
- it was cleared, and nothing written since: retired, by its id, whatever the token's secret;
- there is no token, or an unknown one: what was written begins a new session;
- the token is good: what changed is saved, on the condition that nobody saved before. If somebody
  did, the token is judged again, and both changes are merged and saved while it is good;
- it died meanwhile, or was late from the start: what was written is dropped, but a logout still
  ends the session, and a login begins another one.

A cookie is set with a new token alone, and deleted by whoever ended the session alone. A refused
save never makes a session of what it carried, save a login.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from holdfast.core import migration, token as tokens
from holdfast.core.cap import cap
from holdfast.core.change import Change
from holdfast.core.cookie_held import SET
from holdfast.core.engine import Engine
from holdfast.core.envelope import Letter, Notes
from holdfast.core.full_mapping import FullMapping
from holdfast.core.migration import SignedCookie
from holdfast.core.opening import judged
from holdfast.core.ops import Create, Load, Retire
from holdfast.core.outcome import ATTEMPTS, DELETE, NOTHING, Outcome, Steps
from holdfast.core.record import Record, SessionKey
from holdfast.core.saving import save
from holdfast.core.token import Token
from holdfast.core.verdict import Opened, Verdict
from holdfast.core.visit import Visit
from holdfast.errors import (
    SessionConflict,
    StoreUnavailable,
)

if TYPE_CHECKING:
    from holdfast.core.at_rest import AtRest, Box


class StoredEngine(Engine):
    """What decides about stored sessions; ``at_rest`` seals them, if they are to be sealed."""

    def __init__(self, *, at_rest: AtRest | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        self.at_rest = at_rest

    read = staticmethod(tokens.parse)

    def find(self, presented: Token | SignedCookie | None, arrived: int) -> Steps[Opened]:
        """As :meth:`Engine.find`."""
        if presented is None:
            return Opened(Verdict.NONE)
        if isinstance(presented, SignedCookie):
            return (yield from migration.open_cookie(self, presented, arrived))
        record = yield Load(presented.key)
        return judged(self, presented, record, arrived)

    def unseen(self, presented: Token | SignedCookie, error: StoreUnavailable) -> Opened:
        """As :meth:`Engine.unseen`."""
        if isinstance(presented, Token):
            return Opened(Verdict.AWAY, presented, error=error)
        return Opened(Verdict.AWAY, presented.token, cookie=presented, error=error)

    def presented(self, visit: Visit, opened: Opened | None) -> Token | SignedCookie | None:
        """As :meth:`Engine.presented`."""
        return visit.presented if opened is None else opened.cookie or opened.token

    def keep(
        self, session: FullMapping, visit: Visit, opened: Opened | None, now: int
    ) -> Steps[Outcome]:
        """As :meth:`Engine.keep`."""
        presented = self.presented(visit, opened)
        if session._cleared and not session._raw():
            return (yield from self._end(session, presented, now))
        if opened is None:  # cleared before anybody looked, and written since
            opened = yield from self.find(presented, visit.arrived)
        return (yield from self._store(session, opened, visit, now))

    def _end(
        self, session: FullMapping, presented: Token | SignedCookie | None, now: int
    ) -> Steps[Outcome]:
        """End the session of whoever ever held one of its tokens."""
        ended = presented is not None and (yield from self._retire(presented, now))
        session.settle(Opened(Verdict.NONE))
        return DELETE if ended else NOTHING

    def _retire(self, presented: Token | SignedCookie, now: int) -> Steps[bool]:
        ended: bool
        if isinstance(presented, SignedCookie):
            ended = yield from migration.retire_cookie(self, presented, now)
        else:
            ended = yield Retire(presented.key, now, now + self.terms.tombstone)
        if ended:
            self.tell("ended", presented.handle)
        return ended

    def _store(
        self, session: FullMapping, opened: Opened, visit: Visit, now: int
    ) -> Steps[Outcome]:
        change = Change.of(session, opened, visit)
        cookie, token = opened.cookie, opened.token
        if opened.verdict is Verdict.GOOD and token is not None:
            if cookie is not None:
                opened = yield from migration.bring_over(self, opened, cookie, visit, now)
            if opened.record is not None:
                outcome = yield from save(
                    self, session, opened, token, opened.record, change, visit.arrived, now
                )
                after = session._opened
                record = None if after is None else after.record
                if cookie is None or outcome is not NOTHING or record is None:
                    return outcome
                # One that was renewed since is on its way to the browser.
                return Outcome(SET, token.text) if token.opens(record.secret) else NOTHING
        if opened.verdict in {Verdict.NONE, Verdict.UNKNOWN, Verdict.FOREIGN}:
            # What nobody can open any more must not stay alive beside a login.
            lost = opened.verdict is Verdict.FOREIGN and change.logs_in
            if (change.cleared or lost) and token is not None:
                yield from self._retire(cookie or token, now)
            if not change.wrote or not change.contents:
                return NOTHING
            return (yield from self._begin(session, change, now))
        if opened.error is not None and (change.asked.regenerate or change.logs_in):
            raise opened.error  # the token that the browser has would go on to be good
        # A session that nobody could look into must not stay alive beside a login.
        unseen = opened.verdict is Verdict.UNREADABLE and change.logs_in
        retires = change.cleared or unseen or (change.logs_out and not change.logs_in)
        why = opened.verdict.value
        return (yield from self.drop(session, cookie or token, change, retires, why, now))

    def _begin(self, session: FullMapping, change: Change, now: int) -> Steps[Outcome]:
        """Begin a session for who had none; a page may do without one, unless it logs in."""
        try:
            return (yield from self._create(session, change.contents, change, now))
        except StoreUnavailable as error:
            if not self.go_on_without_store or change.logs_in:
                raise
            self.tell_unavailable(None, error)
            self.tell("dropped", "", Verdict.AWAY.value)
            session.settle(Opened(Verdict.AWAY), {})
            return NOTHING

    def _create(
        self, session: FullMapping, contents: dict[str, Any], change: Change, now: int
    ) -> Steps[Outcome]:
        """Begin a session with ``contents``."""
        letter = Letter(change.notes(Notes(), now), self.envelope.text_of(contents))
        token = tokens.mint(self.random)
        for _ in range(ATTEMPTS):
            record = self.record(token, now, letter, change.user, change.client)
            if (yield Create(record)):
                after = Opened(Verdict.GOOD, token, record, letter, user=change.user)
                session.settle(after, contents)
                self.tell("created", token.handle)
                if change.user is not None:
                    yield from cap(self, change.user, token.key, now)
                return Outcome(SET, token.text)
            token = tokens.mint(self.random)  # that key was taken
        raise SessionConflict(token.handle, ATTEMPTS)

    def record(  # what a record begins with
        self,
        token: Token,
        now: int,
        letter: Letter,
        user: str | None,
        client: Callable[[], str],
    ) -> Record:
        """Return the first record of a session that begins now."""
        return Record(
            key=token.key,
            secret=token.digest,
            data=self.pack(letter, token.key, (token,), (token.digest,))[0],
            version=1,
            created=now,
            seen=now,
            expires=self.terms.expires(now, now, letter.notes.lifetime, user),
            rotated=now,
            user_id=user,
            client=client(),
        )

    def pack(
        self, letter: Letter, key: SessionKey, tokens: Iterable[Token], digests: Iterable[bytes]
    ) -> tuple[bytes, Box | None]:
        """Return a letter as a store keeps it, and what it is sealed in.

        ``tokens`` are those whose secrets are known; ``digests`` are of all secrets in force.
        """
        data = self.envelope.seal(letter)
        if self.at_rest is None:
            return data, None
        return self.at_rest.close(data, tokens, key, letter.box, digests)

    def unpack(self, token: Token, record: Record) -> Letter:
        """Return what a record holds; :exc:`ValueError` for what the token does not open."""
        if self.at_rest is None:
            return self.envelope.open(record.data)
        data, box = self.at_rest.open(record.data, token, record.key)
        letter = self.envelope.open(data)
        return Letter(letter.notes, letter.text, box)

    def drop(  # noqa: PLR0913, PLR0917  # what is known of a request whose token is dead
        self,
        session: FullMapping,
        presented: Token | SignedCookie | None,
        change: Change,
        retires: bool,  # noqa: FBT001  # called within this class alone
        why: str,
        now: int,
    ) -> Steps[Outcome]:
        """Keep nothing that was written, but a logout and a login."""
        ended = False
        if retires and presented is not None:
            ended = yield from self._retire(presented, now)
        if change.logs_in:
            return (yield from self._create(session, change.own(self.users), change, now))
        token = presented.token if isinstance(presented, SignedCookie) else presented
        session.settle(Opened(Verdict.LATE, token), {})  # a second commit must find nothing
        if change.wrote or change.asked.sign_in is not None:
            self.tell("dropped", "" if presented is None else presented.handle, why)
        return DELETE if ended else NOTHING
