"""The codec of sealed cookies: a session's times, notes and contents to text and back.

The text is base64url of what is sealed; that is a public id (16 bytes); when the session was
created, when it was issued to its user, when it was last active and when it expires (seconds since
the epoch); its generation, and that of everybody's sessions (4 bytes each, big-endian); the
envelope, and padding to a multiple of 32 bytes: ``80`` and zeros.
"""

from __future__ import annotations

import struct
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from holdfast.core.cookies import BROWSER_LIMIT
from holdfast.core.envelope import Envelope, Letter
from holdfast.core.record import SessionKey, handle_of
from holdfast.core.sealing import Sealer
from holdfast.core.session import FIXED
from holdfast.core.unstorable import largest_keys
from holdfast.errors import CookieTooLarge

ID_BYTES = 16
_HEAD = struct.Struct(f">{ID_BYTES}sIIIIII")
_LATEST = (1 << 32) - 1  # in the year 2106
_BLOCK = 32
_END = b"\x80"
# Between base64url and base64, whose own characters are no good in the other.
_FROM_URLSAFE = bytes.maketrans(b"-_+/=", b"+/-_!")
_TO_URLSAFE = bytes.maketrans(b"+/", b"-_")

# Texts that were unsealed, remembered twice over at the most.
_REMEMBERED = 512


def key_of(public_id: bytes) -> SessionKey:
    """Return what the end of a session is kept under, given its public id."""
    return SessionKey(public_id.ljust(32, b"\0"))


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What a cookie holds of its session, named as in a record.

    ``rotated`` is when it was issued to its user, ``version`` its generation: one more each time
    that it was regenerated. ``everybody`` is that of everybody's sessions: one more each time that
    all were ended. See ``revocations.py``.
    """

    key: SessionKey
    version: int
    created: int
    seen: int
    expires: int
    rotated: int
    everybody: int = 0
    user_id: str | None = None

    # As of any record that is live and whose token is in use.
    ended: ClassVar = 0
    awaits_use: ClassVar = False
    awaits_renewal: ClassVar = False

    @property
    def handle(self) -> str:
        """The public name of the session."""
        return handle_of(self.key)


class Unsealed:
    """What a sealed cookie holds; never changed but for what is found out of it.

    ``record`` has its key and times. ``contents`` are there if they were decoded before and no
    value in them can change inside; ``user`` is whose they are.
    """

    __slots__ = ("contents", "letter", "record", "user")

    def __init__(self, record: Held, letter: Letter) -> None:
        self.record = record
        self.letter = letter
        self.contents: Mapping[str, Any] | None = None
        self.user: str | None = None

    @property
    def handle(self) -> str:
        """The public name of the session."""
        return self.record.handle

    def know(self, contents: Mapping[str, Any], user: str | None) -> None:
        """Keep what spares work with the next request that brings the same cookie."""
        if FIXED.issuperset(map(type, contents.values())):
            self.user, self.contents = user, dict(contents)


class SealedCodec:
    """Sealed cookies of one name.

    Browsers send a cookie many times before it changes, so the last ones are remembered with what
    they hold. Their times are judged every time, and other keys have another codec.
    """

    def __init__(self, sealer: Sealer, envelope: Envelope, name: str) -> None:
        self.sealer = sealer
        self.envelope = envelope
        self.name = name
        self._recent: dict[str, Unsealed] = {}
        self._older: dict[str, Unsealed] = {}

    def load(self, text: str) -> Unsealed | None:
        """Return what a cookie holds, whatever its age; None for all but a good one."""
        known = self._recent.get(text)
        if known is None:
            known = self._older.get(text) or self._unsealed(text)
            if known is not None:
                self._remember(text, known)
        return known

    def dump(self, record: Held, letter: Letter, mapping: Mapping[str, Any]) -> str:
        """Return the text for a cookie.

        Raises :exc:`holdfast.CookieTooLarge` for one that browsers would drop; ``mapping`` is what
        the letter holds.
        """
        head = _HEAD.pack(
            record.key[:ID_BYTES],
            record.created,
            record.rotated,
            record.seen,
            min(record.expires, _LATEST),
            record.version,
            record.everybody,
        )
        data = head + self.envelope.seal(letter) + _END
        data = data.ljust(-(-len(data) // _BLOCK) * _BLOCK, b"\0")
        encoded = b2a_base64(self.sealer.seal(data), newline=False)
        text = encoded.translate(_TO_URLSAFE).rstrip(b"=").decode()
        size = len(self.name.encode()) + len(text)
        if size > BROWSER_LIMIT:
            largest = largest_keys(mapping, self.envelope.encode)
            raise CookieTooLarge(self.name, size, BROWSER_LIMIT, largest)
        self._remember(text, Unsealed(record, letter))
        return text

    def _unsealed(self, text: str) -> Unsealed | None:
        # No longer one was ever made.
        if len(text) > BROWSER_LIMIT:
            return None
        try:
            padded = text.encode("ascii").translate(_FROM_URLSAFE) + b"==="[: -len(text) % 4]
            sealed = a2b_base64(padded)
        except ValueError:  # of binascii, and of text that is not ASCII
            return None
        # One text for one value: base64 would pass over stray characters and spare bits.
        if b2a_base64(sealed, newline=False) != padded:
            return None
        data = self.sealer.unseal(sealed)
        if data is None:
            return None
        try:
            key, created, issued, seen, expires, generation, everybody = _HEAD.unpack_from(data)
            letter = self.envelope.open(data[_HEAD.size : data.rindex(_END)])
        except (ValueError, struct.error):
            return None
        record = Held(
            key=key_of(key),
            version=generation,
            everybody=everybody,
            created=created,
            seen=seen,
            expires=expires,
            rotated=issued,
        )
        return Unsealed(record, letter)

    def _remember(self, text: str, unsealed: Unsealed) -> None:
        if len(self._recent) >= _REMEMBERED:
            self._older, self._recent = self._recent, {}
        self._recent[text] = unsealed
