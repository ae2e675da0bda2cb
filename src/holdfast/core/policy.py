"""What an application decides about its sessions, in one value."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Self

from holdfast.errors import ConfigurationError


class OnLargeCookie(enum.Enum):
    """What happens to a session whose cookie browsers would drop without a word."""

    WARN = "warn"
    """Warn as Flask does, when the header is over ``MAX_COOKIE_SIZE``, and send it."""

    REFUSE = "refuse"
    """Raise :exc:`holdfast.CookieTooLarge` when name and value are over 4096 bytes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What an application decides about its sessions.

    ``max_bytes``
        The most bytes that the contents of a session may have, before compression; 1 MiB by
        default. Writing more raises :exc:`holdfast.SessionTooLarge`; a cookie that holds more
        makes an empty session, and is decompressed no further.
    ``on_large_cookie``
        What happens to a cookie that browsers would drop; a warning by default.
    """

    max_bytes: int = 1 << 20
    on_large_cookie: OnLargeCookie = OnLargeCookie.WARN

    def __post_init__(self) -> None:
        if type(self.max_bytes) is not int or self.max_bytes < 1:
            msg = f"max_bytes must be a positive number of bytes, not {self.max_bytes!r}"
            raise ConfigurationError(msg)
        if not isinstance(self.on_large_cookie, OnLargeCookie):
            msg = (
                "on_large_cookie must be OnLargeCookie.WARN or OnLargeCookie.REFUSE,"
                f" not {self.on_large_cookie!r}"
            )
            raise ConfigurationError(msg)

    @classmethod
    def flask(cls) -> Self:
        """Return the policy that changes nothing of what Flask does; the default."""
        return cls()
