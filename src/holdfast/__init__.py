"""The session layer for Python web applications.

``holdfast.flask`` is what Flask applications import; the names here need no framework.
"""

from __future__ import annotations

from holdfast.core.events import Event, Listener
from holdfast.core.policy import OnLargeCookie, OnOutage, Policy
from holdfast.errors import (
    ConfigurationError,
    CookieTooLarge,
    ForkedMemoryStore,
    HoldfastError,
    HoldfastWarning,
    LargeCookie,
    SessionConflict,
    SessionTooLarge,
    SessionUnavailable,
    StoreUnavailable,
    UnstorableValue,
    UserIdIgnored,
    WeakSecretKey,
)
from holdfast.log import log_event
from holdfast.stores import open_store

__all__ = [
    "ConfigurationError",
    "CookieTooLarge",
    "Event",
    "ForkedMemoryStore",
    "HoldfastError",
    "HoldfastWarning",
    "LargeCookie",
    "Listener",
    "OnLargeCookie",
    "OnOutage",
    "Policy",
    "SessionConflict",
    "SessionTooLarge",
    "SessionUnavailable",
    "StoreUnavailable",
    "UnstorableValue",
    "UserIdIgnored",
    "WeakSecretKey",
    "log_event",
    "open_store",
]

__version__ = "0.1.0"
