"""From signed cookies to stored sessions, without a logout.

A signed cookie that is looked at becomes a stored session, once. All requests that bring it at one
time derive the same token from it, so that they share one record, and what becomes of that is
decided as for any other. A tombstone under the cookie's SHA-256 stays until it would have expired:
when the record is long gone, it says that the cookie was imported, so that presenting it again
undoes no logout.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from holdfast.core.cap import cap
from holdfast.core.discreet import Discreet
from holdfast.core.envelope import Letter, Notes
from holdfast.core.opening import judged
from holdfast.core.ops import Create, Load, Operation, Retire
from holdfast.core.record import Record, SessionKey, bare
from holdfast.core.token import Token, derive
from holdfast.core.verdict import Opened, Verdict, judge
from holdfast.errors import SessionTooLarge, UnstorableValue

if TYPE_CHECKING:
    from holdfast.core.stored import StoredEngine
    from holdfast.core.visit import Visit


class Imported(Discreet, frozen=True):
    """What a signed cookie holds: its contents, when it expires, and when it was signed.

    That is 0 where nobody knows. The absolute lifetime counts from there, since the session is no
    younger (ASVS 5.0, 7.3.2).
    """

    hidden = frozenset({"contents"})

    contents: Mapping[str, Any]
    permanent: bool
    expires: int
    signed: int = 0


class SignedCookie(Discreet, frozen=True):
    """A good signed cookie that was presented, and what it holds.

    ``text`` is the same for all texts that verify by one signature: its last characters may be
    written in several ways.
    """

    hidden = frozenset({"text"})

    text: str
    imported: Imported

    @property
    def token(self) -> Token:
        """The token of the stored session that it becomes."""
        return derive(self.text)

    @property
    def handle(self) -> str:
        """The public name of that session."""
        return self.token.handle

    @property
    def key(self) -> SessionKey:
        """What its tombstone is kept under."""
        return SessionKey(sha256(self.text.encode()).digest())


def open_cookie(
    engine: StoredEngine, cookie: SignedCookie, arrived: int
) -> Generator[Operation, Any, Opened]:
    """Open the session that a signed cookie has become, or will when it is committed."""
    token = cookie.token
    record = yield Load(token.key)
    if record is None and (tombstone := (yield Load(cookie.key))) is not None:
        # Unless it was imported between the two looks, its session is over.
        record = yield Load(token.key)
        if record is None:
            engine.tell("refused", token.handle, "imported before")
            verdict = judge(token, tombstone, arrived, engine.terms)
            return Opened(verdict, token, cookie=cookie)
    if record is not None:
        return replace(judged(engine, token, record, arrived), cookie=cookie)
    if engine.terms.is_over(cookie.imported.signed or arrived, arrived):
        engine.tell("refused", token.handle, "absolute")
        return Opened(Verdict.UNKNOWN, token, cookie=cookie)
    contents = dict(cookie.imported.contents)
    try:
        text = engine.envelope.text_of(contents)
    except (SessionTooLarge, UnstorableValue) as error:
        # What a cookie holds may be more as a store keeps it: no error of this request.
        engine.tell("refused", token.handle, type(error).__name__)
        return Opened(Verdict.UNKNOWN, token, cookie=cookie)
    letter = Letter(Notes(cookie.imported.permanent), text)
    user = engine.users.of(contents)
    return Opened(Verdict.GOOD, token, None, letter, contents, user, cookie)


def bring_over(
    engine: StoredEngine, opened: Opened, cookie: SignedCookie, visit: Visit, now: int
) -> Generator[Operation, Any, Opened]:
    """Store what a signed cookie held, once; return what became of it."""
    token, record, created = cookie.token, opened.record, False
    if record is None:
        record = engine.record(token, now, opened.letter, opened.user, visit.client)
        began = min(cookie.imported.signed or now, now)
        expires = engine.terms.expires(began, now, None, opened.user)
        record = replace(record, created=began, expires=expires)
        if engine.at_rest is not None:
            # The token is made of the signed cookie alone, which takes only the secret key to
            # guess: the next request gets another one.
            record = replace(record, rotated=0)
        created = yield Create(record)
        if not created:
            record = yield Load(token.key)
    first = yield Create(_tombstone(cookie.key, now, cookie.imported.expires))
    if created and not first:
        # Made just now by a request that found our record; or the session was over before we
        # began one anew, and its own record is gone already, which takes at least so long.
        tombstone = yield Load(cookie.key)
        gone_after = min(engine.terms.idle, engine.terms.tombstone)
        if tombstone is not None and tombstone.ended + gone_after < now:
            yield Retire(token.key, now, now + engine.terms.tombstone)
            return Opened(Verdict.LATE, token)
    if created:
        engine.tell("created", token.handle, "from a signed cookie")
        if opened.user is not None:
            yield from cap(engine, opened.user, token.key, now)
    elif judge(token, record, visit.arrived, engine.terms) is not Verdict.GOOD:
        return Opened(Verdict.LATE, token)
    merge = record is not opened.record and not created
    return replace(opened, record=record, cookie=cookie if merge else None)


def retire_cookie(
    engine: StoredEngine, cookie: SignedCookie, now: int
) -> Generator[Operation, Any, bool]:
    """End the session that a signed cookie became, or would have; return whether it was live."""
    key, expires = cookie.token.key, now + engine.terms.tombstone
    ended: bool = yield Create(_tombstone(cookie.key, now, cookie.imported.expires))
    for _ in range(2):
        if (yield Retire(key, now, expires)):
            return True
        if (yield Create(_tombstone(key, now, expires))):
            break
        # There is one already, or somebody has just imported it: then it is to be retired.
    return ended


def _tombstone(key: SessionKey, now: int, expires: int) -> Record:
    return bare(key, now, expires, seen=now, ended=now)
