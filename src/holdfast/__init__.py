"""The session layer for Python web applications.

``holdfast.flask`` is what Flask applications import; the names here need no framework.
"""

from __future__ import annotations

from holdfast.core.choices import BeyondMax, ClientNote, OnIdle, OnLargeCookie, OnOutage
from holdfast.core.cookie_policy import CookiePolicy
from holdfast.core.events import Event, Listener
from holdfast.core.policy import Policy
from holdfast.errors import (
    ConfigurationError,
    CookieTooLarge,
    CrossSiteCookie,
    ForkedMemoryStore,
    HoldfastError,
    HoldfastWarning,
    LargeCookie,
    NotSignedIn,
    ReauthenticationRequired,
    SecureCookieOverHTTP,
    SessionConflict,
    SessionTooLarge,
    SessionUnavailable,
    StoreUnavailable,
    TooManySessions,
    UnstorableValue,
    UserIdIgnored,
    WeakSecretKey,
)
from holdfast.log import log_event
from holdfast.stores import open_store

__all__ = [
    "BeyondMax",
    "ClientNote",
    "ConfigurationError",
    "CookiePolicy",
    "CookieTooLarge",
    "CrossSiteCookie",
    "Event",
    "ForkedMemoryStore",
    "HoldfastError",
    "HoldfastWarning",
    "LargeCookie",
    "Listener",
    "NotSignedIn",
    "OnIdle",
    "OnLargeCookie",
    "OnOutage",
    "Policy",
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
    "log_event",
    "open_store",
]

__version__ = "0.1.0"
