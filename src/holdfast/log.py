"""A listener that writes what happens to sessions to the log ``holdfast.sessions``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from holdfast.core.events import Event, Listener
from holdfast.core.verdict import Verdict
from holdfast.errors import ConfigurationError

_log = logging.getLogger("holdfast.sessions")
_LEVELS = {
    "loaded": logging.DEBUG,
    "merged": logging.DEBUG,
    "refused": logging.INFO,
    "created": logging.INFO,
    "regenerated": logging.INFO,
    "ended": logging.INFO,
    "conflict": logging.INFO,
    "dropped": logging.WARNING,
    "token_reused": logging.WARNING,
    "store_unavailable": logging.ERROR,
}


def log_event(event: Event) -> None:
    """Write an event to the log: its name, the session's handle, and why; nothing else of it."""
    level = _LEVELS[event.name]
    if event.why.startswith(("unreadable", Verdict.FOREIGN.value)):
        level = logging.WARNING  # somebody is logged out whom nobody meant to
    if _log.isEnabledFor(level):
        why = f" ({event.why})" if event.why else ""
        _log.log(level, "session %s: %s%s", event.handle or "-", event.name, why)


def guarded(listener: Any) -> Listener:
    """Return a listener whose errors are logged, not raised: what it hears of has happened.

    Raises :exc:`holdfast.ConfigurationError` for what can't be called.
    """
    if not callable(listener):
        msg = f"a listener must be a function that takes an Event, not {listener!r}"
        raise ConfigurationError(msg)
    return _LOGGED if listener is log_event else _guarded(listener)


def _guarded(listener: Listener) -> Listener:
    def call(event: Event) -> None:
        try:
            listener(event)
        except Exception:  # noqa: BLE001  # a listener is an application's: anything
            _log.exception("a listener failed, told of %s", event.name)

    return call


_LOGGED = _guarded(log_event)


def hears_loads(listeners: Collection[Listener]) -> Callable[[], bool]:
    """Return what tells whether any of these would do anything with the event ``loaded``.

    It is the one of every request, and the log mostly leaves it out.
    """
    if any(listener is not _LOGGED for listener in listeners):
        return lambda: True
    return partial(_log.isEnabledFor, _LEVELS["loaded"]) if listeners else bool
