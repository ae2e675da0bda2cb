"""A listener that writes what happens to sessions to the log ``holdfast.sessions``."""

from __future__ import annotations

import logging

from holdfast.core.events import Event

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
    "store_unavailable": logging.ERROR,
}


def log_event(event: Event) -> None:
    """Write an event to the log: its name, the session's handle, and why; nothing else of it."""
    level = _LEVELS[event.name]
    if _log.isEnabledFor(level):
        why = f" ({event.why})" if event.why else ""
        _log.log(level, "session %s: %s%s", event.handle or "-", event.name, why)
