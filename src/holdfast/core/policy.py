"""What an application decides about its sessions, in one value."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from holdfast.errors import ConfigurationError


class OnLargeCookie(enum.Enum):
    """What happens to a session whose cookie browsers would drop without a word."""

    WARN = "warn"
    """Warn as Flask does, when the header is over ``MAX_COOKIE_SIZE``, and send it."""

    REFUSE = "refuse"
    """Raise :exc:`holdfast.CookieTooLarge` when name and value are over 4096 bytes."""


class OnOutage(enum.Enum):
    """What a page gets that looks at its session while the store is unavailable."""

    FAIL = "fail"
    """:exc:`holdfast.StoreUnavailable`, which answers 503 where nobody handles it."""

    EMPTY = "empty"
    """An empty session, as for somebody who is not logged in. What is written to it is dropped,
    with an event, and no cookie is set or deleted. Logging in still fails, and so do
    ``regenerate()`` and logging out by ``clear()``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What an application decides about its sessions.

    ``max_bytes``
        The most bytes that the contents of a session may have, before compression; 1 MiB by
        default. Writing more raises :exc:`holdfast.SessionTooLarge`; a cookie that holds more
        makes an empty session, and is decompressed no further.
    ``on_large_cookie``
        What happens to a cookie that browsers would drop; a warning by default.
    ``on_outage``
        What happens to pages that use their session while its store is unavailable; they fail
        by default. Pages that don't use it never notice.
    ``in_flight``
        Twice the longest that a request may take, from the browser and back; 10 seconds by
        default. For so long after a session was ended or got a new token, requests that were
        sent with the old one are known to be late.
    """

    max_bytes: int = 1 << 20
    on_large_cookie: OnLargeCookie = OnLargeCookie.WARN
    on_outage: OnOutage = OnOutage.FAIL
    in_flight: timedelta = timedelta(seconds=10)

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
        if not isinstance(self.on_outage, OnOutage):
            msg = f"on_outage must be OnOutage.FAIL or OnOutage.EMPTY, not {self.on_outage!r}"
            raise ConfigurationError(msg)
        if not isinstance(self.in_flight, timedelta):
            msg = f"in_flight must be a timedelta, not {type(self.in_flight).__name__}"
            raise ConfigurationError(msg)
        if not 1 <= self.in_flight.total_seconds() < Terms.tombstone:
            msg = (
                f"in_flight must be at least 1 second and less than {Terms.tombstone}, for which"
                f" ended sessions are remembered; it is {self.in_flight}"
            )
            raise ConfigurationError(msg)

    @classmethod
    def flask(cls) -> Self:
        """Return the policy that changes nothing of what Flask does; the default."""
        return cls()

    def terms(self, *, idle: int, touched: bool) -> Terms:
        """Return what this comes to where sessions last ``idle`` seconds after their last activity.

        ``touched`` says whether reading is activity.
        """
        in_flight = int(self.in_flight.total_seconds())
        return Terms(
            idle=idle,
            touch_every=max(1, min(60, idle // 10)) if touched else None,
            in_flight=in_flight,
            grace=max(Terms.grace, -(-in_flight // 2)),
        )


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a policy and a configuration come to for stored sessions, in whole seconds.

    ``idle``, ``absolute``
        A session is over so long after its last activity, and after its beginning.
    ``touch_every``
        Activity is noted when the last noted one is older than this; None: only writing counts.
    ``renew_every``
        A session gets a new secret when its secret is older than this; None: never.
    ``grace``
        The secret before opens it for so long after the new one was first used.
    ``in_flight``
        A request that arrives within this time of its token's end is late, not unknown.
    ``tombstone``
        For so long an ended session is remembered.
    """

    idle: int
    absolute: int | None = None
    touch_every: int | None = None
    renew_every: int | None = None
    grace: int = 10
    in_flight: int = 10
    tombstone: int = 60

    def expires(self, created: int, now: int) -> int:
        """Return when a session is over that is active now, in seconds since the epoch."""
        idle = now + self.idle
        return idle if self.absolute is None else min(idle, created + self.absolute)

    def is_touch_due(self, seen: int, now: int) -> bool:
        """Return whether activity is to be noted, of which the last noted was at ``seen``."""
        return self.touch_every is not None and now - seen >= self.touch_every

    def is_renewal_due(self, rotated: int, now: int) -> bool:
        """Return whether a secret that was made at ``rotated`` is to be replaced."""
        return self.renew_every is not None and now - rotated >= self.renew_every
