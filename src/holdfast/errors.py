"""Everything that Holdfast raises or warns of.

HoldfastError
├── ConfigurationError (ValueError)    a setting is wrong; the message names the fix
├── SessionUnavailable (RuntimeError)  a NullSession was written to
├── UnstorableValue (TypeError)        a session holds something that cannot be stored
├── SessionTooLarge (ValueError)       the contents are more than the policy allows
└── CookieTooLarge (ValueError)        browsers would silently drop the cookie

HoldfastWarning (UserWarning)
├── WeakSecretKey                      a secret key is short, well known or ignored
└── LargeCookie                        browsers may silently drop the cookie

What arrives in a cookie is never an error: it makes an empty session.
"""

from __future__ import annotations

__all__ = [
    "ConfigurationError",
    "CookieTooLarge",
    "HoldfastError",
    "HoldfastWarning",
    "LargeCookie",
    "SessionTooLarge",
    "SessionUnavailable",
    "UnstorableValue",
    "WeakSecretKey",
]


class HoldfastError(Exception):
    """The root of all errors that Holdfast raises on purpose."""


class ConfigurationError(HoldfastError, ValueError):
    """A setting is wrong; nothing was read or written."""


class SessionUnavailable(HoldfastError, RuntimeError):
    """A write reached a session that stands in because none could be made; nothing was stored."""


class UnstorableValue(HoldfastError, TypeError):
    """A session holds a value that cannot be stored; no cookie was set for this response.

    ``path``
        Where the value is, as an expression: ``cart.items[3]``.
    ``reason``
        What is wrong with it, in words.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"session value at {self.path} can't be stored: {self.reason}"


class SessionTooLarge(HoldfastError, ValueError):
    """The contents of a session exceed ``Policy.max_bytes``; no cookie was set for this response.

    ``size``, ``limit``
        Bytes of the contents before compression, and the most that the policy allows.
    ``largest``
        The largest top-level keys with the bytes that each takes.
    """

    def __init__(self, size: int, limit: int, largest: tuple[tuple[str, int], ...]) -> None:
        super().__init__(size, limit, largest)
        self.size = size
        self.limit = limit
        self.largest = largest

    def __str__(self) -> str:
        return (
            f"the session holds {self.size} bytes, and the policy's max_bytes is {self.limit}."
            f" Largest keys: {describe_sizes(self.largest)}. Keep less in the session, or raise it."
        )


class CookieTooLarge(HoldfastError, ValueError):
    """A session's cookie is larger than browsers keep (RFC 6265bis, section 5.6); it was not sent.

    ``name``
        The cookie's name.
    ``size``, ``limit``
        Bytes of name and value together, and the most that browsers keep.
    ``largest``
        The largest top-level keys with the bytes that each takes before compression.
    """

    def __init__(
        self, name: str, size: int, limit: int, largest: tuple[tuple[str, int], ...]
    ) -> None:
        super().__init__(name, size, limit, largest)
        self.name = name
        self.size = size
        self.limit = limit
        self.largest = largest

    def __str__(self) -> str:
        return (
            f"the session cookie '{self.name}' needs {self.size} bytes for its name and value, and"
            f" browsers drop cookies over {self.limit} without a word."
            f" Largest keys: {describe_sizes(self.largest)}. Keep less in the session."
        )


class HoldfastWarning(UserWarning):
    """The root of all warnings that Holdfast gives."""


class WeakSecretKey(HoldfastWarning):
    """A secret key is so short or so well known that others can forge sessions with it."""


class LargeCookie(HoldfastWarning):
    """A session's cookie is larger than ``MAX_COOKIE_SIZE``; it was sent all the same."""


def describe_sizes(sizes: tuple[tuple[str, int], ...]) -> str:
    """Return sizes of keys in words: ``'cart' (3120 bytes), 'theme' (7 bytes)``."""
    return ", ".join(f"{key!r} ({size} bytes)" for key, size in sizes)
