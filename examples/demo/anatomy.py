"""Take a session cookie apart, signed or sealed, as anybody can who holds one.

Nothing here knows the secret key, and nothing here needs it: a signature keeps a cookie from being
changed, not from being read. Of a sealed one there is little to see. Any text can be taken apart;
what makes no sense is None.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

# What browsers keep of a cookie, name and value together (RFC 6265bis, section 5.6).
BROWSER_LIMIT = 4096

# A forged cookie could otherwise claim a thousand times its length in memory.
_LONGEST_TEXT = 1 << 16


@dataclass(frozen=True, slots=True)
class Anatomy:
    """The parts of a cookie, and what they stand for."""

    name: str
    payload: str
    stamp: str
    signature: str
    text: str | None
    """What the payload decodes to."""
    signed: datetime | None
    """When it was signed, if the timestamp is to be believed."""

    @property
    def size(self) -> int:
        """How much of what browsers keep it takes, in bytes."""
        return len(f"{self.name}{self.payload}.{self.stamp}.{self.signature}".encode())

    @property
    def pieces(self) -> list[tuple[str, str]]:
        """The parts by what they are, in order."""
        return [("payload", self.payload), ("stamp", self.stamp), ("signature", self.signature)]

    @property
    def compressed(self) -> bool:
        """Whether the payload is compressed: a dot in front says so."""
        return self.payload.startswith(".")

    @property
    def packed_size(self) -> int:
        """How many bytes the payload is, before base64 makes four letters of three."""
        return len(self.payload.removeprefix(".")) * 3 // 4

    @property
    def pretty(self) -> str | None:
        """The text, laid out if it is JSON."""
        try:
            return json.dumps(json.loads(self.text or ""), indent=2, ensure_ascii=False)
        except (ValueError, RecursionError):
            return self.text


# Of what is sealed: a version, an id of the key, a nonce; the tag is at the end.
_VERSION_BYTES, _KEY_ID_BYTES, _NONCE_BYTES, _TAG_BYTES = 1, 4, 12, 16
_BEGIN = _VERSION_BYTES + _KEY_ID_BYTES + _NONCE_BYTES


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed cookie, as far as anybody can tell without a key."""

    name: str
    token: str
    data: bytes | None
    """What the token decodes to."""

    @property
    def size(self) -> int:
        """How much of what browsers keep it takes, in bytes."""
        return len(f"{self.name}{self.token}".encode())

    @property
    def pieces(self) -> list[tuple[str, str]]:
        """The head, to the letter in which it ends, and what is encrypted."""
        head = -(-_BEGIN * 4 // 3)
        return [("stamp", self.token[:head]), ("payload", self.token[head:])]

    @property
    def head(self) -> list[tuple[str, str]] | None:
        """What stands at the beginning, in clear."""
        if self.data is None or len(self.data) < _BEGIN + _TAG_BYTES:
            return None
        key_id, nonce = self.data[_VERSION_BYTES:][:_KEY_ID_BYTES], self.data[:_BEGIN]
        return [
            ("version", str(self.data[0])),
            ("id of the key", key_id.hex(" ")),
            ("nonce", nonce[-_NONCE_BYTES:].hex(" ")),
        ]

    @property
    def encrypted(self) -> int:
        """How many bytes are encrypted: contents, notes and times, filled up."""
        return max(0, len(self.data or b"") - _BEGIN - _TAG_BYTES)


def unread(name: str, token: str) -> Sealed:
    """Return what there is to see of the sealed cookie ``name`` with the value ``token``."""
    try:
        data = _b64decode(token)
    except ValueError:
        data = None
    return Sealed(name, token, data)


def dissect(name: str, token: str) -> Anatomy:
    """Return the parts of the cookie ``name`` with the value ``token``."""
    rest, _, signature = token.rpartition(".")
    payload, _, stamp = rest.rpartition(".")
    return Anatomy(name, payload, stamp, signature, _text(payload), _time(stamp))


def changeable(token: str) -> int:
    """Return where :func:`change` changes a token: a letter, about the middle of its payload.

    That is all of it where there are no parts.
    """
    end = len(token.rpartition(".")[0].rpartition(".")[0]) or len(token)
    order = [*range(end // 2, end), *range(end // 2), *range(end, len(token))]
    return next((at for at in order if token[at].isascii() and token[at].isalpha()), 0)


def change(token: str) -> str:
    """Return the token with one letter's case changed; done twice, it is as before."""
    at = changeable(token)
    return token[:at] + token[at : at + 1].swapcase() + token[at + 1 :]


def in_words(age: timedelta) -> str:
    """Return an age as one would say it."""
    seconds = max(0, int(age.total_seconds()))
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size:
            number = seconds // size
            return f"{number} {unit}{'s' if number > 1 else ''}"
    return "less than a second"


def ago(time: datetime) -> str:
    """Return as one would say it how long ago something was."""
    age = datetime.now(UTC) - time
    return f"{in_words(age)} ago" if age >= timedelta(seconds=1) else "just now"


def _text(payload: str) -> str | None:
    try:
        data = _b64decode(payload.removeprefix("."))
        if payload.startswith("."):
            data = zlib.decompressobj().decompress(data, _LONGEST_TEXT)
    except (ValueError, zlib.error):
        return None
    return data.decode(errors="replace")


def _time(stamp: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(int.from_bytes(_b64decode(stamp), "big"), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _b64decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
