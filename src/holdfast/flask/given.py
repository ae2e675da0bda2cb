"""What an application gives for its sessions, checked: ConfigurationError for what can't be."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from holdfast.core.events import Listener
from holdfast.core.store import Store
from holdfast.errors import ConfigurationError
from holdfast.log import guarded

if TYPE_CHECKING:
    from flask import Flask


def checked_seal(seal: object) -> bool:
    """Return whether to seal; ConfigurationError for what is neither True nor False."""
    if not isinstance(seal, bool):
        msg = f"seal must be True or False, not {type(seal).__name__}; secrets belong in SECRET_KEY"
        raise ConfigurationError(msg)
    return seal


def checked_store(store: Any) -> Store:
    """Return a store that blocks; ConfigurationError for what is none."""
    if isinstance(store, type):
        msg = f"{store.__name__} is a class; give a store made of it"
        raise ConfigurationError(msg)
    if not isinstance(store, Store):
        msg = (
            f"a store is needed, and {type(store).__name__} is none: it has not all of load,"
            " create, save, touch and retire. Text becomes one by holdfast.open_store"
        )
        raise ConfigurationError(msg)
    if inspect.iscoroutinefunction(store.load):
        msg = f"{type(store).__name__} is to be awaited, and Flask's sessions need one that blocks"
        raise ConfigurationError(msg)
    return store


def guarded_listeners(listeners: Any) -> tuple[Listener, ...]:
    """Return listeners whose errors are logged."""
    if not isinstance(listeners, Iterable):
        msg = f"listeners must be a list of functions that take an Event, not {listeners!r}"
        raise ConfigurationError(msg)
    return tuple(guarded(listener) for listener in listeners)


def timestamp(until: date | datetime | None) -> float:
    """Return a date's beginning, or a moment, in seconds since the epoch; 0 for None."""
    if until is None:
        return 0
    if not isinstance(until, date):
        msg = f"migrate_until must be a date or a datetime, not {type(until).__name__}"
        raise ConfigurationError(msg)
    if not isinstance(until, datetime):
        until = datetime(until.year, until.month, until.day, tzinfo=UTC)
    if until.tzinfo is None:
        msg = "migrate_until must say its time zone: datetime(..., tzinfo=UTC), or be a date"
        raise ConfigurationError(msg)
    return until.timestamp()


def permanent_lifetime(app: Flask) -> timedelta:
    """Return ``PERMANENT_SESSION_LIFETIME``."""
    try:
        lifetime: timedelta | None = app.permanent_session_lifetime
    except (TypeError, OverflowError):
        lifetime = None
    if lifetime is None or lifetime < timedelta(seconds=1):
        msg = (
            "PERMANENT_SESSION_LIFETIME must be a timedelta of at least a second, or as many"
            f" seconds, not {app.config['PERMANENT_SESSION_LIFETIME']!r}"
        )
        raise ConfigurationError(msg)
    return lifetime


def copied(value: Any) -> Any:
    """Return a setting, copied where it may be changed in place."""
    return copy.copy(value) if isinstance(value, list | set) else value


def keys_of(app: Flask, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
    """Return the keys that a setting names, each once."""
    keys = app.config.get(name, default)
    if not isinstance(keys, Collection) or isinstance(keys, str | bytes):
        msg = f"{name} must be a list of keys, not {keys!r}"
        raise ConfigurationError(msg)
    if not all(isinstance(key, str) for key in keys):
        msg = f"{name} must hold text alone, not {keys!r}"
        raise ConfigurationError(msg)
    return tuple(dict.fromkeys(keys))
