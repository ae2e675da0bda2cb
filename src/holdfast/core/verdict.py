"""What a token is worth, judged by the record that the store has."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

import msgspec

from holdfast.core.discreet import Discreet
from holdfast.core.envelope import EMPTY, Letter
from holdfast.core.record import Record
from holdfast.core.terms import Terms
from holdfast.core.token import Token
from holdfast.errors import StoreUnavailable

if TYPE_CHECKING:
    from holdfast.core.migration import SignedCookie
    from holdfast.core.sealed_codec import Held


class Verdict(enum.Enum):
    """What a token is."""

    NONE = "no token"
    """There was none, or it had not the shape of one."""

    UNKNOWN = "unknown"
    """It opens nothing: never heard of, expired or long dead."""

    GOOD = "good"
    """It opens a live session."""

    LATE = "late"
    """It died so lately that the request may have been sent before."""

    UNREADABLE = "unreadable"
    """It opens a session that this process can't decode; another may, so it is left alone."""

    FOREIGN = "sealed under another key"
    """It opens a session that is sealed under a secret key that is not in force any more."""

    AWAY = "the store was unavailable"
    """Nobody could tell, and the policy has such pages go on."""


class Opened(Discreet, frozen=True):
    """What opening a session found.

    ``contents`` are the application's to change; ``user`` is whose they were. ``withheld`` says
    that they are what was set aside, since the user has to authenticate again. ``cookie`` is there
    if a signed cookie was presented in place of a token, ``error`` if nobody could tell.
    """

    hidden = frozenset({"record", "letter", "contents", "error"})

    verdict: Verdict
    token: Token | None = None
    record: Any = None  # a Record, or a Held of `sealed_codec.py`
    letter: Letter = EMPTY
    contents: dict[str, Any] = msgspec.field(default_factory=dict)
    user: str | None = None
    cookie: SignedCookie | None = None
    error: StoreUnavailable | None = None
    withheld: bool = False

    @property
    def text(self) -> bytes:
        """What ``contents`` were read from."""
        return self.letter.visible(self.withheld)


def judge(token: Token, record: Record | None, arrived: int, terms: Terms) -> Verdict:
    """Return what a token is to a request that arrived at ``arrived``, seconds since the epoch."""
    if record is None or is_over(record, arrived, terms):
        return Verdict.UNKNOWN
    if record.ended:
        died = record.ended
    elif token.opens(record.secret) or by_previous(token, record, arrived):
        return Verdict.GOOD
    else:
        died = record.rotated
    return Verdict.LATE if arrived <= died + terms.in_flight else Verdict.UNKNOWN


def by_previous(token: Token, record: Record, arrived: int) -> bool:
    """Return whether a token opens a record by the secret before the current one."""
    in_force = record.previous_until == 0 or arrived <= record.previous_until
    return record.previous != b"" and in_force and token.opens(record.previous)


def is_over(record: Record | Held, arrived: int, terms: Terms) -> bool:
    """Return whether a record has expired, or has lasted as long as any may."""
    too_long = not record.ended and terms.is_over(record.created, arrived)
    return record.expires <= arrived or too_long
