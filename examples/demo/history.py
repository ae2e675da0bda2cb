"""What happened to sessions lately: a listener that remembers."""

from __future__ import annotations

import threading
from collections import deque
from datetime import UTC, datetime
from typing import Any

from holdfast import Event

KEPT = 200


class History:
    """The latest events, numbered from 1; reads alone ("loaded") are left out.

    Requests call it from their threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._kept: deque[dict[str, Any]] = deque(maxlen=KEPT)

    def __call__(self, event: Event) -> None:
        """Remember an event."""
        if event.name == "loaded":
            return
        with self._lock:
            self._count += 1
            self._kept.append(
                {
                    "number": self._count,
                    "time": datetime.now(UTC).strftime("%H:%M:%S"),
                    "name": event.name,
                    "session": event.handle,
                    "why": event.why or event.key,
                }
            )

    def since(self, number: int) -> list[dict[str, Any]]:
        """Return the events that came after the one of that number, oldest first."""
        with self._lock:
            return [event for event in self._kept if event["number"] > number]
