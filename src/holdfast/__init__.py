"""The session layer for Python web applications.

``holdfast.flask`` is what Flask applications import; the names here need no framework.
"""

from __future__ import annotations

from holdfast.core.policy import OnLargeCookie, Policy
from holdfast.errors import (
    ConfigurationError,
    CookieTooLarge,
    HoldfastError,
    HoldfastWarning,
    LargeCookie,
    SessionTooLarge,
    SessionUnavailable,
    UnstorableValue,
    WeakSecretKey,
)

__all__ = [
    "ConfigurationError",
    "CookieTooLarge",
    "HoldfastError",
    "HoldfastWarning",
    "LargeCookie",
    "OnLargeCookie",
    "Policy",
    "SessionTooLarge",
    "SessionUnavailable",
    "UnstorableValue",
    "WeakSecretKey",
]

__version__ = "0.1.0"
