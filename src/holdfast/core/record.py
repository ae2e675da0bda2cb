"""What a store keeps of one session."""

from __future__ import annotations

from typing import NewType

from holdfast.core.discreet import Discreet

SessionKey = NewType("SessionKey", bytes)
"""SHA-256 of a session's id, 32 bytes; what a record is stored under."""


class Record(Discreet, frozen=True, kw_only=True):
    """What a store keeps of one session, under its ``key``.

    Times are whole seconds since the epoch, UTC. A record whose ``ended`` is not 0 is a
    *tombstone*: of the rest only ``key`` and ``expires`` mean anything then.
    ``msgspec.structs.replace`` makes another record of one.

    ``secret``, ``previous``
        SHA-256 of the secret that opens the session, 32 bytes, and of the one before it, empty
        unless that opens it too.
    ``previous_until``
        Until when the previous secret opens it; 0: until the current one has been used.
    ``rotated``
        When the current secret was made; 0: it is to be replaced as soon as can be.
    ``ended``
        When the session was ended; 0: it is live.
    ``data``
        What it contains, opaque to stores.
    ``version``
        1 at first, one more with each save.
    ``created``, ``seen``, ``expires``
        When it began, was last active, and is over unless it is active again.
    ``user_id``
        Whose it is; None for nobody's. Never the empty text.
    ``client``
        A short description of the device, if the application asked for one.
    """

    hidden = frozenset({"secret", "previous", "data"})

    key: SessionKey
    secret: bytes
    data: bytes
    version: int
    created: int
    seen: int
    expires: int
    rotated: int
    previous: bytes = b""
    previous_until: int = 0
    ended: int = 0
    user_id: str | None = None
    client: str = ""

    def awaits_tidying(self, now: int, in_flight: int) -> bool:
        """Return whether the previous secret opens it no more, but may open what is sealed."""
        until = self.previous_until
        return self.previous != b"" and 0 < until < now - in_flight

    @property
    def awaits_renewal(self) -> bool:
        """Whether its secret is to be replaced by the next request, whatever the policy says."""
        return self.rotated == 0

    @property
    def awaits_use(self) -> bool:
        """Whether it is to be noted that the current secret is in use."""
        return self.previous != b"" and self.previous_until == 0

    @property
    def handle(self) -> str:
        """The public name of the session, 16 hexadecimal digits, for logs and lists."""
        return handle_of(self.key)


def handle_of(key: SessionKey) -> str:
    """Return the public name of the session that is stored under ``key``."""
    return key[:8].hex()


def bare(key: SessionKey, now: int, expires: int, *, seen: int, ended: int = 0) -> Record:
    """Return a record of no session's contents: a tombstone, or a limit (``revocations.py``)."""
    return Record(
        key=key,
        secret=b"",
        data=b"",
        version=1,
        created=now,
        seen=seen,
        expires=expires,
        rotated=now,
        ended=ended,
    )
