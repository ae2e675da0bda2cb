"""Everything that Holdfast raises or warns of.

HoldfastError
├── ConfigurationError (ValueError)    a setting is wrong; the message names the fix
├── SessionUnavailable (RuntimeError)  a NullSession was written to
├── UnstorableValue (TypeError)        a session holds something that cannot be stored
├── SessionTooLarge (ValueError)       the contents are more than the policy allows
├── CookieTooLarge (ValueError)        browsers would silently drop the cookie
├── NotSignedIn                        what was asked takes a user who is signed in
├── ReauthenticationRequired           what was asked takes a user who authenticated lately
├── TooManySessions                    a user has as many sessions as the policy allows
├── StoreUnavailable                   the store of sessions can't be used now
└── SessionConflict                    others changed a session again and again while it was saved

HoldfastWarning (UserWarning)
├── WeakSecretKey                      a secret key is short, well known or ignored
├── LargeCookie                        browsers may silently drop the cookie
├── UserIdIgnored                      a session's user id is no text, whole number or UUID
├── SecureCookieOverHTTP               browsers may drop the cookie, since it was sent over http
├── CrossSiteCookie                    a cookie goes with the requests of every other site
└── ForkedMemoryStore                  several processes each have a memory of their own

What arrives in a cookie is never an error: it makes an empty session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta

__all__ = [
    "ConfigurationError",
    "CookieTooLarge",
    "CrossSiteCookie",
    "ForkedMemoryStore",
    "HoldfastError",
    "HoldfastWarning",
    "LargeCookie",
    "NotSignedIn",
    "ReauthenticationRequired",
    "SecureCookieOverHTTP",
    "SessionConflict",
    "SessionTooLarge",
    "SessionUnavailable",
    "StoreUnavailable",
    "TooManySessions",
    "UnstorableValue",
    "UserIdIgnored",
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
            f" Largest keys: {describe_sizes(self.largest)}. Keep less in the session, or keep the"
            " session in a store: Holdfast(app, store='sqlite:///sessions.db')."
        )


class NotSignedIn(HoldfastError):
    """What was asked of a session takes a user, and it is nobody's; nothing was changed.

    With ``Holdfast(app)`` the answer is 401 where the application has no handler.
    """

    def __str__(self) -> str:
        return "nobody is signed in to this session; log_in() is for that"


class ReauthenticationRequired(HoldfastError):
    """A page takes a user who authenticated lately; it was not called.

    With ``Holdfast(app)`` the answer is 401 where the application has no handler, which usually
    redirects to a form.

    ``user_id``
        Who is to authenticate: who is signed in, or whose session is withheld; None for nobody.
    ``within``
        How lately.
    ``methods``
        By which methods; empty for any.
    """

    def __init__(self, user_id: str | None, within: timedelta, methods: frozenset[str]) -> None:
        super().__init__(user_id, within, methods)
        self.user_id = user_id
        self.within = within
        self.methods = methods

    def __str__(self) -> str:
        by = f" by {', '.join(sorted(self.methods))}" if self.methods else ""
        return f"this takes a user who authenticated{by} within the last {self.within}"


class TooManySessions(HoldfastError):
    """A user has as many sessions as the policy allows, and none was to end; nothing was changed.

    ``user_id``
        The user.
    ``limit``
        The policy's ``max_per_user``.
    """

    def __init__(self, user_id: str, limit: int) -> None:
        super().__init__(user_id, limit)
        self.user_id = user_id
        self.limit = limit

    def __str__(self) -> str:
        return f"this user has {self.limit} sessions already, which is the most; end one first"


class StoreUnavailable(HoldfastError):
    """The store of sessions can't be reached, is too slow or can't serve now.

    What was asked of it last may have been done or not, and was not tried again. Without a
    handler of the application's own, the answer is 503 with ``Retry-After``.

    ``reason``
        What happened, in words; it holds no password and nothing of a session.
    ``retry_after``
        Seconds after which trying again makes sense.
    """

    def __init__(self, reason: str, retry_after: int = 5) -> None:
        super().__init__(reason, retry_after)
        self.reason = reason
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"the store of sessions is unavailable: {self.reason}"


class SessionConflict(HoldfastError):
    """Others changed a session each time that it was about to be saved; nothing was saved.

    Each refusal was another request's success. The answer is 503 with ``Retry-After``.

    ``handle``
        The public name of the session.
    ``attempts``
        How often it was merged and tried.
    """

    retry_after = 1

    def __init__(self, handle: str, attempts: int) -> None:
        super().__init__(handle, attempts)
        self.handle = handle
        self.attempts = attempts

    def __str__(self) -> str:
        return (
            f"session {self.handle} was changed by others {self.attempts} times while this request"
            " was saving it; nothing of this request was saved"
        )


class HoldfastWarning(UserWarning):
    """The root of all warnings that Holdfast gives."""


class WeakSecretKey(HoldfastWarning):
    """A secret key is so short or so well known that others can forge sessions with it."""


class LargeCookie(HoldfastWarning):
    """A session's cookie is larger than ``MAX_COOKIE_SIZE``; it was sent all the same."""


class UserIdIgnored(HoldfastWarning):
    """A session's user id is no text, whole number or UUID, so the session is nobody's."""


class SecureCookieOverHTTP(HoldfastWarning):
    """A cookie for https alone was set over plain http in debug mode, so a browser may drop it."""


class CrossSiteCookie(HoldfastWarning):
    """A policy has the cookie sent with every other site's requests, and does not partition it."""


class ForkedMemoryStore(HoldfastWarning):
    """A process uses a memory store that another process made, and finds none of its sessions."""


def describe_sizes(sizes: tuple[tuple[str, int], ...]) -> str:
    """Return sizes of keys in words: ``'cart' (3120 bytes), 'theme' (7 bytes)``."""
    return ", ".join(f"{key!r} ({size} bytes)" for key, size in sizes)
