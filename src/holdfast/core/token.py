"""The token of a stored session: what its cookie holds.

48 random bytes as 64 base64url characters (RFC 4648, section 5): an id of 16 bytes, the same for
the session's whole life, and a secret of 32, which changes. A store sees digests alone.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from binascii import a2b_base64
from collections.abc import Callable
from hashlib import sha256, sha512
from hmac import compare_digest

from holdfast.core.discreet import Discreet
from holdfast.core.record import SessionKey, handle_of

ID_BYTES = 16
SECRET_BYTES = 32
_SHAPE = re.compile(r"[A-Za-z0-9_-]{64}")


class Token(Discreet, frozen=True):
    """A token taken apart: ``key`` is SHA-256 of its id, ``digest`` of its secret."""

    hidden = frozenset({"digest", "id", "text"})

    key: SessionKey
    digest: bytes
    id: bytes
    text: str

    @property
    def handle(self) -> str:
        """The public name of the session that it belongs to."""
        return handle_of(self.key)

    @property
    def secret(self) -> bytes:
        """What of it changes, 32 bytes that nobody else knows."""
        return _raw(self.text)[ID_BYTES:]

    def opens(self, digest: bytes) -> bool:
        """Return whether its secret has this digest; in constant time."""
        return compare_digest(self.digest, digest)


def parse(text: str) -> Token | None:
    """Return the token that a cookie's value is; None if it hasn't the shape of one."""
    if len(text) != 64 or not _SHAPE.fullmatch(text):  # noqa: PLR2004  # as above
        return None
    return _token(_raw(text), text)


def mint(random: Callable[[int], bytes]) -> Token:
    """Return the token of a new session; ``random`` returns so many bytes nobody can guess."""
    return _token(random(ID_BYTES + SECRET_BYTES))


def renew(token: Token, random: Callable[[int], bytes]) -> Token:
    """Return a token of the same session with a new secret."""
    return _token(token.id + random(SECRET_BYTES))


def derive(cookie: str) -> Token:
    """Return the token of the stored session that a signed cookie becomes.

    It is as hard to guess as the cookie's signature, and the same for all requests that bring
    the cookie at once, so that they share one session.
    """
    return _token(sha512(b"holdfast: a signed cookie\0" + cookie.encode()).digest()[:48])


def _raw(text: str) -> bytes:
    return a2b_base64(text.replace("-", "+").replace("_", "/"))


def _token(raw: bytes, text: str | None = None) -> Token:
    identity, secret = raw[:ID_BYTES], raw[ID_BYTES:]
    return Token(
        SessionKey(sha256(identity).digest()),
        sha256(secret).digest(),
        identity,
        urlsafe_b64encode(raw).decode() if text is None else text,
    )
