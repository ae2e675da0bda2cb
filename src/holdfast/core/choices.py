"""What a policy has to choose from."""

from __future__ import annotations

import enum


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


class OnIdle(enum.Enum):
    """What becomes of a session that was active too long ago."""

    END = "end"
    """It is over."""

    REAUTHENTICATE = "reauthenticate"
    """A user's session is kept until its absolute lifetime is over, and what it contains is
    withheld; ``session.reauthenticated()`` opens it again."""


class BeyondMax(enum.Enum):
    """Which of a user's sessions ends when there is one more than ``max_per_user``."""

    END_OLDEST = "end_oldest"
    """The one that began first."""

    END_LEAST_ACTIVE = "end_least_active"
    """The one that was active least recently."""


class ClientNote(enum.Enum):
    """What a stored session keeps of the browser that logged in, for a list of devices.

    All of it is personal data.
    """

    NONE = "none"
    """Nothing."""

    USER_AGENT = "user_agent"
    """The first 200 characters of its User-Agent."""

    WITH_SHORT_ADDRESS = "with_short_address"
    """And the network that it is in: 24 bits of an IPv4 address, 48 of an IPv6 address."""

    WITH_ADDRESS = "with_address"
    """And its address."""
