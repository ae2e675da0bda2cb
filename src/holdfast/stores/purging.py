"""Purging by itself: what expired goes in small batches, after a create, every now and then."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

from holdfast.core.record import Record
from holdfast.core.store import Purgeable, Purged
from holdfast.errors import ConfigurationError

_log = logging.getLogger("holdfast.stores")

# What one create may cost its request: few enough rows and little enough time.
_MOST_ROWS = 500
_MOST_SECONDS = 0.02
_BATCH = 50


class Purging:
    """Purges a store after creates, at most once in a while for each process.

    ``store``
        What is purged: in batches of 50, at most 500 rows or 20 ms at a time.
    ``every``
        How long it rests after that; None turns it off.
    ``alone``
        Called with the time, it tells inside of a ``with`` whether no other process is purging,
        and keeps others from it meanwhile. Not needed where purging at once does no harm.
    ``some``
        Called with the time and a number, it removes at most so many in little time, and tells
        whether there may be more. Not needed where the store's ``purge`` takes little time, however
        few it finds.

    Raises :exc:`ConfigurationError` if ``every`` is not positive.
    """

    def __init__(
        self,
        store: Purgeable,
        every: timedelta | None,
        alone: Callable[[int], AbstractContextManager[bool]] | None = None,
        some: Callable[[int, int], tuple[Purged, bool]] | None = None,
    ) -> None:
        if every is not None:
            check_duration("purge_every", every, "a timedelta above 0, or None for never")
        self._store = store
        self._every = float("inf") if every is None else every.total_seconds()
        self._alone = alone
        self._some = some or self._purge_some
        self._due = float("inf") if every is None else 0.0
        self._lock = threading.Lock()
        self._lag = 0

    def after_create(self, record: Record) -> None:
        """Purge if that is due, as of when the record that was created was seen; never raises."""
        if time.monotonic() < self._due:
            return
        # A thread that holds the lock across a fork leaves it locked in the child, which then
        # purges nothing: no harm.
        if not self._lock.acquire(blocking=False):
            return
        try:
            if time.monotonic() < self._due:
                return
            self._due = time.monotonic() + self._every
            if self._alone is None:
                self._purge(record.seen)
            else:
                with self._alone(record.seen) as alone:
                    if alone:
                        self._purge(record.seen)
        except Exception:  # noqa: BLE001  # the create was kept, and its caller is to hear that
            _log.warning("purging expired sessions failed", exc_info=True)
        finally:
            self._lock.release()

    def _purge(self, now: int) -> None:
        began = time.perf_counter()
        removed = lag = 0
        while removed < _MOST_ROWS and time.perf_counter() - began < _MOST_SECONDS:
            purged, more = self._some(now, _BATCH)
            removed += purged.removed
            lag = max(lag, purged.lag)
            if not more:
                self._lag = 0
                return
        if lag > self._lag > 0:
            _log.info(
                "purging does not keep up: some sessions expired %d seconds ago; lower"
                " purge_every, or purge by hand",
                lag,
            )
        self._lag = lag

    def _purge_some(self, now: int, most: int) -> tuple[Purged, bool]:
        purged = self._store.purge(now, limit=most)
        return purged, purged.removed == most


def check_duration(name: str, value: Any, expected: str = "a timedelta above 0") -> None:
    """Raise :exc:`ConfigurationError` if a setting is no positive duration."""
    if not isinstance(value, timedelta) or value <= timedelta(0):
        msg = f"{name} must be {expected}, not {value!r}"
        raise ConfigurationError(msg)
