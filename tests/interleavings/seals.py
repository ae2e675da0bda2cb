"""Sealed cookies, and where schedules of requests that bring them begin.

What a cookie is, is read here by the codec alone, so that no check asks an engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from kinds import USER, Contents, mark
from kinds_of_life import PASSWORD, A
from program import ABSOLUTE, IN_FLIGHT, SIGNED, START
from sight import ENVELOPE, IDLE, Holding, holding

from holdfast.core.envelope import Letter, Notes
from holdfast.core.migration import Imported, SignedCookie
from holdfast.core.record import Record, SessionKey
from holdfast.core.sealed_codec import ID_BYTES, Held, SealedCodec, Unsealed, key_of
from holdfast.core.sealing import Sealer
from holdfast.core.terms import Terms

MAX_AGE = 2
STALE = 30
SKEW = IN_FLIGHT
# How far apart the clocks of the processes are.
CLOCKS = (0, SKEW - 2)

TERMS = Terms(idle=IDLE, touch_every=60, in_flight=IN_FLIGHT)
LIMITED_TERMS = Terms(
    idle=IDLE, absolute=ABSOLUTE, reauthenticate=True, touch_every=60, in_flight=IN_FLIGHT
)


def kept_for(terms: Terms) -> int:
    """Return after which time a cookie that is never presented is over."""
    return terms.idle if terms.absolute is None else terms.absolute


_SEALER = Sealer([b"secret" * 8], b"session cookie", b"app", b"session", random=bytes)


def make_codec() -> SealedCodec:
    """Return a codec with an empty memory; one text for one content, so that states meet."""
    return SealedCodec(_SEALER, ENVELOPE, "session")


_CODEC = make_codec()


def signed(text: str) -> SignedCookie:
    """Return a signed cookie that is good."""
    imported = Imported(SIGNED[text], permanent=False, expires=START + IDLE, signed=START - 500)
    return SignedCookie(text, imported)


def read_by(codec: SealedCodec, text: str) -> Unsealed | SignedCookie | None:
    """Take the text of a cookie apart."""
    return signed(text) if text in SIGNED else codec.load(text)


class Cookie(NamedTuple):
    """What a cookie holds: ``issued`` is greater where it was set so that older ones die."""

    key: SessionKey
    issued: int
    user: str | None
    record: Held
    held: Holding
    is_signed: bool = False

    def is_over(self, arrived: int, terms: Terms) -> bool:
        """Return whether its time has come, so that it opens nothing whatever else there is."""
        record, lifetime = self.record, self.held.notes.lifetime or terms.idle
        if record.expires <= arrived:
            return True
        if terms.absolute is not None and record.created + terms.absolute <= arrived:
            return True
        return self.is_idle(arrived, lifetime) and not self.is_withheld(arrived, terms)

    def is_idle(self, arrived: int, idle: int) -> bool:
        """Return whether it was active too long ago."""
        return not self.is_signed and self.record.seen + idle <= arrived

    def is_withheld(self, arrived: int, terms: Terms) -> bool:
        """Return whether it shows only what was set aside."""
        idle = self.is_idle(arrived, self.held.notes.lifetime or terms.idle)
        return terms.reauthenticate and self.user is not None and idle


@lru_cache(maxsize=1 << 16)
def cookie_of(text: str) -> Cookie | None:
    """Return what the text of a cookie holds; None for no cookie."""
    if text in SIGNED:
        shown, contents = signed(text), SIGNED[text]
        held = Held(
            key=key_of(shown.token.id),
            version=1,
            created=START - 500,
            seen=START - 500,
            expires=START + IDLE,
            rotated=START - 500,
        )
        holds = holding(ENVELOPE.seal(Letter(Notes(), ENVELOPE.text_of(contents))))
        return Cookie(held.key, 1, contents.get(USER), held, holds, is_signed=True)
    unsealed = _CODEC.load(text)
    if unsealed is None:
        return None
    held = holding(ENVELOPE.seal(unsealed.letter))
    user = held.contents.get(USER)
    record = unsealed.record
    return Cookie(record.key, record.version, user, record, held)


def cookie_text(number: int, contents: Contents, start: Start) -> str:
    """Return the cookie of a session from before."""
    user = contents.get(USER)
    methods = dict.fromkeys(PASSWORD, start.created) if user else {}
    aside = ENVELOPE.text_of(start.aside).decode() if start.aside else ""
    notes = Notes(authenticated=start.created if user else 0, methods=methods, aside=aside)
    over = start.created + ABSOLUTE if start.lasts else start.seen + IDLE
    record = Held(
        key=key_of(bytes([number]) * ID_BYTES),
        version=1,
        created=start.created,
        seen=start.seen,
        expires=over,
        rotated=START - 1000,
        user_id=user,
    )
    return _CODEC.dump(record, Letter(notes, ENVELOPE.text_of(contents)), contents)


class Start(NamedTuple):
    """Where it begins: a session in a browser, and others elsewhere.

    ``contents`` is None for no session. ``is_warm``: both processes know that all are live.
    ``lasts``: the policy states an absolute lifetime. ``ended``: everybody's sessions and A's were
    ended some seconds before.
    """

    name: str
    contents: Contents | None
    is_warm: bool = True
    seen: int = START - 100
    created: int = START - 2 * IDLE
    aside: Contents | None = None
    lasts: bool = False
    signed: str = ""
    ended: bool = False

    @property
    def cookie(self) -> str:
        """The browser's cookie."""
        if self.signed:
            return self.signed
        return "" if self.contents is None else cookie_text(1, self.contents, self)

    @property
    def cookies(self) -> frozenset[str]:
        """All cookies that there are."""
        return frozenset({self.cookie, ELSEWHERE} - {""})


ELSEWHERE = cookie_text(2, {USER: A, "base": mark("base", 2, A)}, Start("", None))
_OF_A = {USER: A, "base": mark("base", 0, A)}
_OF_NOBODY: Contents = {"base": mark("base", 0, None)}
NONE = Start("no session", None)
ANONYMOUS = Start("an anonymous session", _OF_NOBODY)
LOGGED_IN = Start("a session of A", _OF_A)
COLD = LOGGED_IN._replace(name="a session of A, of which no process knows", is_warm=False)
AGAIN = NONE._replace(name="a session of A, who has logged in again", ended=True)
SIGNED_STARTS = tuple(Start(text, None, signed=text) for text in SIGNED)
TIMED_STARTS = (
    LOGGED_IN._replace(name="a session that lasts", lasts=True),
    LOGGED_IN._replace(
        name="a withheld session",
        lasts=True,
        seen=START - IDLE,
        aside={"aside": mark("aside", 0, None)},
    ),
    LOGGED_IN._replace(name="a session that is soon withheld", lasts=True, seen=START - IDLE + 2),
)
STARTS = (NONE, ANONYMOUS, LOGGED_IN, COLD, AGAIN)

Records = Mapping[SessionKey, Record]
